"""A folder a label: ``DATA/<label>/**/*.wav``, or ``DATA/<split>/<label>/**/*.wav``."""

from __future__ import annotations

from collections.abc import Iterable

from earmark.catalog.claims import SPLIT_NAMES, Claims


def read_folders(keys: Iterable[str]) -> Claims:
    """What the paths of audio files claim.

    The first folder is the label. Where the first folders are all names of splits (``train``, ``test`` …; two at
    least), they are taken as that and the label is the second. A file without such a folder claims no label.
    """
    uris = sorted(keys)
    parts = [uri.split("/") for uri in uris]
    first = {part[0].lower() for part in parts if len(part) > 1}
    splits: list[str | None] = [None] * len(uris)
    depth = 0
    if len(first) > 1 and first <= SPLIT_NAMES.keys() and all(len(part) > 1 for part in parts):
        splits = [SPLIT_NAMES[part[0].lower()] for part in parts]
        depth = 1
    none: list[None] = [None] * len(uris)
    return Claims(
        source="folders",
        clip_ids=uris,
        uris=uris,
        labels=[(part[depth],) if len(part) > depth + 1 else () for part in parts],
        starts=[*none],
        ends=[*none],
        splits=splits,
        folds=[*none],
        groups=[*none],
    )
