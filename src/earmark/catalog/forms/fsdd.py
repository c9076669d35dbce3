"""The Free Spoken Digit Dataset as published: ``recordings/{digit}_{speaker}_{index}.wav``.

Its test split is the recordings 0 to 4 of each digit by each speaker, so every speaker is in both splits, by intent.
Each recording is therefore a group of its own, and scores are those of known voices.
"""

from __future__ import annotations

import re

from earmark.catalog.claims import Claims
from earmark.catalog.forms import Form
from earmark.catalog.root import DataRoot
from earmark.config import DataConfig
from earmark.errors import UserError

NAME = re.compile(r"(?:.*/)?recordings/(?P<digit>\d)_(?P<speaker>[A-Za-z]+)_(?P<index>\d+)\.wav")
TEST_INDICES = range(5)
OTHER = "not recordings/{digit}_{speaker}_{index}.wav"


def _recognises(root: DataRoot) -> bool:
    return root.named is None and sum(NAME.fullmatch(uri) is not None for uri in root.audio) > len(root.audio) / 2


def _read(root: DataRoot, _config: DataConfig) -> Claims:
    """All recordings in the official splits; other audio is counted and not taken.

    Raises:
        UserError: no recording.
    """
    found = {uri: match for uri in sorted(root.audio) if (match := NAME.fullmatch(uri))}
    if not found:
        raise UserError(
            f"{root.store.uri} has no recordings/ with names such as 7_jackson_32.wav: give the folder of FSDD"
        )
    other = len(root.audio) - len(found)
    none: list[None] = [None] * len(found)
    return Claims(
        source=FSDD.name,
        clip_ids=list(found),
        uris=list(found),
        labels=[(match["digit"],) for match in found.values()],
        starts=[*none],
        ends=[*none],
        splits=["test" if int(match["index"]) in TEST_INDICES else "train" for match in found.values()],
        folds=[*none],
        groups=[*none],
        dropped={OTHER: other} if other else {},
    )


FSDD = Form("fsdd", "Free Spoken Digit's recordings/{digit}_{speaker}_{index}.wav", _recognises, _read)
