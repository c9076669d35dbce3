"""Which models saw a clip: what has to be known when somebody wants a recording deleted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.catalog.content import column
from earmark.registry.download import fetch_clips
from earmark.registry.versions import list_models

if TYPE_CHECKING:
    import pyarrow as pa

TRAINED = ("train", "validation")


@dataclass(frozen=True)
class Use:
    """What a version of a model did with a clip.

    Attributes:
        name, version, aliases: of the model.
        part: ``train``, ``validation`` (it chose the weights), ``test`` (scored only), ``left out``, or ``unknown``
            for a version that does not tell its clips.
        clips: ids of the clips that were found.
    """

    name: str
    version: int
    aliases: tuple[str, ...]
    part: str
    clips: tuple[str, ...]

    @property
    def trained(self) -> bool:
        """Whether the clip shaped the weights."""
        return self.part in TRAINED


def trained_on(clip: str) -> list[Use]:
    """What every version of every registered model did with a clip: those that trained on it come first.

    A clip counts as the same wherever its bytes are the same: a copy under another name is found as well.

    Args:
        clip: its id, or the path of its file.

    Raises:
        EarmarkError: MLflow does not answer.
    """
    path = Path(clip).expanduser()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    found = []
    for listed in list_models():
        table = fetch_clips(listed.name, listed.version)
        about = listed.name, listed.version, listed.aliases
        if table is None:
            found.append(Use(*about, "unknown", ()))
            continue
        rows = _rows(table, clip, sha256)
        for part in (*TRAINED, "test", None):
            ids = tuple(clip_id for clip_id, split in rows if split == part)
            if ids:
                found.append(Use(*about, part or "left out", ids))
    order = (*TRAINED, "test", "left out", "unknown")
    return sorted(found, key=lambda use: (order.index(use.part), use.name, -use.version))


def _rows(table: pa.Table, clip: str, sha256: str) -> list[tuple[str, str | None]]:
    """Id and split of each clip that has this id or this file's bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    named = table.filter(pc.equal(table["clip_id"], pa.scalar(clip)))
    wanted = {*column(named, "sha256"), sha256} - {""}
    same = pc.or_(
        pc.is_in(table["sha256"], value_set=pa.array(sorted(wanted), pa.string())),
        pc.equal(table["clip_id"], pa.scalar(clip)),
    )
    seen = table.filter(same)
    return list(zip(column(seen, "clip_id"), column(seen, "split"), strict=True))
