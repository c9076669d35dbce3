"""GTZAN as published: ``genres_original/<genre>/<genre>.00000.wav`` (also ``genres/`` and ``.au``).

It gives no splits. Where the fault-filtered lists of Kereliuk et al. (2015) lie beside it (``train_filtered.txt``,
``valid_filtered.txt``, ``test_filtered.txt``; https://github.com/jongpillee/music_dataset_split), they are the splits:
they leave out repeated and broken excerpts and keep artists apart.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from earmark.catalog.claims import Claims
from earmark.catalog.forms import Form
from earmark.catalog.forms.rows import find_list
from earmark.catalog.root import DataRoot
from earmark.catalog.text import read_text
from earmark.config import DataConfig
from earmark.errors import UserError

NAME = re.compile(r"(?:.*/)?(?P<genre>[a-z]+)/(?P<take>(?P=genre)\.\d{5})\.(?:wav|au|mp3|flac)")
LISTS = {"train_filtered.txt": "train", "valid_filtered.txt": "validation", "test_filtered.txt": "test"}
OTHER, UNLISTED = "not named <genre>/<genre>.00000", "on none of the fault-filtered lists"


def _recognises(root: DataRoot) -> bool:
    return root.named is None and sum(NAME.fullmatch(uri) is not None for uri in root.audio) > len(root.audio) / 2


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """All excerpts without splits, or those on the fault-filtered lists with theirs; the others are counted.

    Raises:
        UserError: no excerpt, one there twice, some of the lists only, or an excerpt on two lists (names the lines).
    """
    found = {uri: match for uri in sorted(root.audio) if (match := NAME.fullmatch(uri))}
    if not found:
        raise UserError(f"{root.store.uri} has no <genre>/<genre>.00000.wav: give the folder of GTZAN")
    places, splits, absent = _lists(root, {match["take"] for match in found.values()})
    other = len(root.audio) - len(found)
    none: list[None] = [None] * len(found)
    takes = [match["take"] for match in found.values()]
    claims = Claims(
        source=GTZAN.name,
        clip_ids=list(found),
        uris=list(found),
        labels=[(match["genre"],) for match in found.values()],
        starts=[*none],
        ends=[*none],
        splits=[splits.get(take) for take in takes],
        folds=[*none],
        groups=[*none],
        dropped={reason: count for reason, count in {OTHER: other, **absent}.items() if count},
        places=[places.get(take, uri) for take, uri in zip(takes, found, strict=True)],
    )
    return claims.only([take in splits for take in takes], UNLISTED) if splits else claims


def _lists(root: DataRoot, there: set[str]) -> tuple[dict[str, str], dict[str, str], dict[str, int]]:
    """Line and split of each listed excerpt, and how many lines of each list name one that is not there."""
    keys = {name: find_list(root, name) for name in LISTS}
    absent = [name for name, key in keys.items() if key is None]
    if len(absent) == len(LISTS):
        return {}, {}, {}
    if absent:
        raise UserError(f"{root.store.uri} has no {absent[0]} beside the other lists: add it, or take the others away")
    places: dict[str, str] = {}
    splits: dict[str, str] = {}
    missing: dict[str, int] = {}
    for name, key in keys.items():
        assert key is not None
        for line, text in enumerate(read_text(root, key).split("\n"), start=1):
            if not text.strip():
                continue
            file = PurePosixPath(text.strip().replace("\\", "/")).name
            take = re.sub(r"\.(?:wav|au|mp3|flac)$", "", file)
            place = f"{root.place(key)} line {line}"
            if splits.setdefault(take, LISTS[name]) != LISTS[name]:
                raise UserError(f"{place}: {take} is in {places[take]} already: take out one of the lines")
            places.setdefault(take, place)
            if take not in there:
                reason = f"on {name}, and no such file"
                missing[reason] = missing.get(reason, 0) + 1
    return places, splits, missing


GTZAN = Form("gtzan", "GTZAN's genres_original/<genre>/<genre>.00000.wav, or genres/", _recognises, _read)
