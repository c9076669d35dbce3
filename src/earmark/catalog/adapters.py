"""Chooses the form in which a data set is published, and reads what it claims."""

from __future__ import annotations

from dataclasses import replace

from earmark.catalog.claims import Claims
from earmark.catalog.forms import Form
from earmark.catalog.forms.audioset import AUDIOSET
from earmark.catalog.forms.birdclef import BIRDCLEF
from earmark.catalog.forms.esc import ESC10, ESC50, fill_from_names
from earmark.catalog.forms.fsd50k import FSD50K
from earmark.catalog.forms.fsdd import FSDD
from earmark.catalog.forms.gtzan import GTZAN
from earmark.catalog.forms.jsonl import JSONL
from earmark.catalog.forms.listed import CSV, declared_labels
from earmark.catalog.forms.plain import FOLDERS
from earmark.catalog.forms.speech_commands import SPEECH_COMMANDS
from earmark.catalog.forms.urbansound8k import URBANSOUND8K
from earmark.catalog.ontology import add_parents, find_ontology
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig
from earmark.errors import unknown_name

FORMS: tuple[Form, ...] = (
    *(AUDIOSET, FSD50K, ESC10, ESC50, URBANSOUND8K, SPEECH_COMMANDS, FSDD, GTZAN, BIRDCLEF),
    *(CSV, JSONL, FOLDERS),
)
"""Every form, published data sets first: the first that recognises the data reads it."""
AUTO = "auto"


def read_claims(root: DataRoot, config: DataConfig) -> Claims:
    """What the data claims, read in the form that ``data.form`` names, else in the first that recognises it.

    Raises:
        UserError: no such form, data that cannot be read in it (names file and line), or no ontology for
            ``data.add_parents``.
    """
    form = _named(config.form) if config.form != AUTO else next(form for form in FORMS if form.recognises(root))
    claims = fill_from_names(form.read(root, config))
    if claims.declared is None:
        claims = replace(claims, declared=declared_labels(root))
    if config.add_parents:
        claims = add_parents(claims, find_ontology(root))
    root.sheets.clear()
    # What is kept must not depend on where the data lies.
    return replace(claims, places=[place.removeprefix(root.place("")) for place in claims.places])


def _named(name: str) -> Form:
    known = {form.name: form for form in FORMS}
    if name not in known:
        raise unknown_name("form of data in config data.form:", name, (AUTO, *known))
    return known[name]
