"""What is wrong with clips, and what was done: a row of ``findings.parquet`` each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import UserError
from earmark.features.clip import EMPTY, MISSING, NOT_FINITE, PAST_END, SHORT, SILENT, UNDECODABLE

if TYPE_CHECKING:
    import pyarrow as pa

NO_LABEL = "no label"
UNKNOWN_LABEL = "unknown label"
DUPLICATE = "duplicate"
CONFLICT = "duplicate under different labels"
LEAK = "duplicate in two splits"
SPLIT_GROUP = "group in two splits"
CLIPPED = "clipped"

FINDINGS = {
    MISSING: "no file, or one that may not be read",
    EMPTY: "no samples",
    UNDECODABLE: "the decoder refused it; the detail is its reason",
    SHORT: "under 0.975 s: left out where the tail is dropped, padded with zeros where it is padded",
    SILENT: "the peak stays below data.silence_dbfs",
    NOT_FINITE: "a sample is infinite or not a number",
    PAST_END: "a segment that begins where its file has ended is left out; one that only ends later is cut there",
    NO_LABEL: "nothing says what it is",
    UNKNOWN_LABEL: "a label that is not in the data's list of labels",
    DUPLICATE: "the same decoded sound as another clip with the same labels",
    CONFLICT: "the same decoded sound as another clip with other labels: nobody knows which is right",
    LEAK: "the same decoded sound as a clip of another split; the one in test stays, else the one in validation",
    SPLIT_GROUP: "its group has clips in another split; those in test stay, else those in validation",
    CLIPPED: "more than data.clipped_share of its samples are at full scale",
}
"""Every kind of finding, with what it means."""

LEFT_OUT, KEPT, PADDED, CUT = "left out", "kept", "padded", "cut at the end"
EXAMPLES = 3


class Findings:
    """Findings as they come up. A clip is left out once, for the first reason that is found.

    Attributes:
        usable_N: the clips that have not been left out.
    """

    def __init__(self, clip_ids: Sequence[str] | pa.ChunkedArray[Any]) -> None:
        self._clip_ids = clip_ids
        self._rows: list[tuple[str, str, str, str]] = []
        self.usable_N: NDArray[np.bool_] = np.ones(len(clip_ids), bool)

    def leave_out(self, clip: int, kind: str, detail: str = "") -> None:
        """This clip, by its number, does not become part of the dataset."""
        if self.usable_N[clip]:
            self.usable_N[clip] = False
            self._rows.append((str(self._clip_ids[clip]), kind, detail, LEFT_OUT))

    def keep(self, clip: int, kind: str, detail: str = "", action: str = KEPT) -> None:
        """This clip stays, and this is worth knowing of it; nothing is said of a clip that was left out."""
        if self.usable_N[clip]:
            self._rows.append((str(self._clip_ids[clip]), kind, detail, action))

    def counts(self) -> dict[str, int]:
        """Number of findings of each kind."""
        return dict(sorted(Counter(kind for _, kind, _, _ in self._rows).items()))

    def table(self) -> pa.Table:
        """clip_id, finding, detail, action; sorted by clip and kind."""
        import pyarrow as pa

        columns = list(zip(*sorted(self._rows), strict=True)) or [()] * 4
        names = ("clip_id", "finding", "detail", "action")
        return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})

    def too_many(self, max_share: float, listed_at: str) -> UserError | None:
        """The error for more clips left out than the share allows; names the commonest reasons with examples."""
        total = len(self.usable_N)
        out = total - int(self.usable_N.sum())
        if out <= max_share * total:
            return None
        by_kind: dict[str, list[str]] = {}
        for clip_id, kind, _, action in sorted(self._rows):
            if action == LEFT_OUT:
                by_kind.setdefault(kind, []).append(clip_id)
        if set(by_kind) == {SILENT} and out == total:
            return UserError(
                f"all {total} clips are silent: nothing in them reaches config data.silence_dbfs; "
                "check the recordings, or lower that level"
            )
        worst = sorted(by_kind.items(), key=lambda item: (-len(item[1]), item[0]))
        told = "; ".join(f"{len(clips)} {kind} ({_examples(clips)})" for kind, clips in worst[:EXAMPLES])
        more = f"; {len(worst) - EXAMPLES} more kinds" if len(worst) > EXAMPLES else ""
        return UserError(
            f"{out} of {total} clips ({out / total:.1%}) had to be left out, duplicates counted, and config "
            f"data.max_rejected_share allows {max_share:.1%}: {told}{more}. Mend or remove them, or raise the share; "
            f"all findings: {listed_at}"
        )


def _examples(clips: Sequence[str]) -> str:
    return ", ".join(clips[:EXAMPLES]) + (", …" if len(clips) > EXAMPLES else "")
