"""Names of the ESC data sets, ``fold-source-take[-target].ext``: clips of one source must not be split apart."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

from earmark.catalog.claims import Claims

NAME = re.compile(r"(?P<fold>\d+)-(?P<source>\d+)-[A-Z](-\d+)?\.\w+")


def fill_from_names(claims: Claims) -> Claims:
    """The claims with group and fold taken from the files' names, where all names match and the data gives none."""
    found = [NAME.fullmatch(PurePosixPath(uri).name) for uri in claims.uris]
    matches = [match for match in found if match]
    if len(matches) < len(found):
        return claims
    if not any(claims.groups):
        claims = replace(claims, groups=[match["source"] for match in matches])
    if not any(claims.folds) and not any(claims.splits):
        claims = replace(claims, folds=[match["fold"] for match in matches])
    return claims
