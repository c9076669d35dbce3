"""Holds what the catalog claims against what decoding found. Letters: N clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.content import column
from earmark.catalog.findings import (
    CLIPPED,
    CONFLICT,
    CUT,
    DUPLICATE,
    LEAK,
    NO_LABEL,
    PADDED,
    SPLIT_GROUP,
    UNKNOWN_LABEL,
    Findings,
)
from earmark.catalog.grouped import Grouped
from earmark.catalog.splits import SPLITS
from earmark.config import DataConfig
from earmark.errors import UserError
from earmark.features import PATCH_SAMPLES, SAMPLE_RATE
from earmark.features.clip import MISSING, PAST_END, SHORT, SILENT

if TYPE_CHECKING:
    import pyarrow as pa

END_SLACK_SECONDS = 0.05
"""A segment may end so much later than its file: encoders cut and pad by frames of about half of that."""


@dataclass(frozen=True)
class Decoded:
    """What decoding found of each clip, in the catalog's order; columns as in ``facts.parquet``."""

    sound: pa.ChunkedArray[Any]
    """Null, or empty, where there is none."""
    seconds_N: NDArray[np.float64]
    peak_N: NDArray[np.float64]
    clipped_N: NDArray[np.float64]
    reason_N: list[str | None]

    @staticmethod
    def of(keys: pa.Array[Any], facts: pa.Table) -> Decoded:
        """The facts of clips by their keys; a missing file (key "") has none.

        Raises:
            UserError: a clip that was never decoded.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        at = pc.index_in(keys, value_set=facts["clip_key"].combine_chunks())
        unknown = np.count_nonzero(pc.and_(at.is_null(), pc.not_equal(keys, pa.scalar(""))).to_numpy(False))
        if unknown:
            raise UserError(
                f"{unknown} clips of the catalog are not among the extracted ones: extract its features again"
            )
        rows = facts.take(at)
        numbers = {name: _numbers(rows[name]) for name in ("seconds", "peak", "clipped_share")}
        return Decoded(
            sound=rows["sound_sha256"],
            seconds_N=numbers["seconds"],
            peak_N=numbers["peak"],
            clipped_N=numbers["clipped_share"],
            reason_N=column(rows, "reason"),
        )


def judge_clips(findings: Findings, clips: pa.Table, decoded: Decoded) -> None:
    """Leave out what is missing, what has no known label, and what decoding gave no frames of."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for clip in np.flatnonzero(pc.equal(clips["sha256"], pa.scalar("")).to_numpy()).tolist():
        uri = clips["uri"][clip].as_py()
        findings.leave_out(clip, MISSING, f"{_listed(clips, clip)}{uri} is not in the data, or may not be read")
    known_N, unknown_N = _has(clips["labels"]), _has(clips["unknown_labels"])
    for clip in np.flatnonzero(~known_N).tolist():
        kind = UNKNOWN_LABEL if unknown_N[clip] else NO_LABEL
        findings.leave_out(clip, kind, _claimed(clips, clip))
    for clip, reason in enumerate(decoded.reason_N):
        if reason is not None:
            kind, _, detail = reason.partition(": ")
            if kind == SILENT:
                detail = f"peak {_decibels(decoded.peak_N[clip])}"
            elif kind == PAST_END:
                detail = f"{_listed(clips, clip)}starts at {clips['start_s'][clip].as_py():.3f} s, {detail}"
            findings.leave_out(clip, kind, detail)


def note_clips(findings: Findings, clips: pa.Table, decoded: Decoded, config: DataConfig) -> None:
    """Say what is odd about clips that stay: padded, clipped, cut, or with a label that is not known."""
    wanted_N = _numbers(clips["end_s"]) - np.nan_to_num(_numbers(clips["start_s"]))
    for clip in np.flatnonzero(decoded.seconds_N < wanted_N - END_SLACK_SECONDS).tolist():
        start_s, end_s = clips["start_s"][clip].as_py() or 0.0, clips["end_s"][clip].as_py()
        length_s = start_s + decoded.seconds_N[clip]
        findings.keep(
            clip, PAST_END, f"{_listed(clips, clip)}ends at {end_s:.3f} s, the file has {length_s:.3f} s", CUT
        )
    for clip in np.flatnonzero(decoded.seconds_N < PATCH_SAMPLES / SAMPLE_RATE).tolist():
        findings.keep(clip, SHORT, f"{decoded.seconds_N[clip]:.3f} s", PADDED)
    for clip in np.flatnonzero(decoded.clipped_N > config.clipped_share).tolist():
        findings.keep(clip, CLIPPED, f"{decoded.clipped_N[clip]:.1%} of samples at full scale")
    for clip in np.flatnonzero(_has(clips["unknown_labels"])).tolist():
        findings.keep(clip, UNKNOWN_LABEL, _claimed(clips, clip), "kept with its other labels")


def judge_duplicates(
    findings: Findings, clips: pa.Table, decoded: Decoded, given_N: NDArray[np.int8] | None
) -> list[tuple[int, int]]:
    """Leave out repeated sounds. Clips are taken in order of their ids; under two labels none stays.

    Returns:
        Pairs of clips with the same sound, whose groups belong together.
    """
    ties: list[tuple[int, int]] = []
    for same in _repeated(decoded.sound, findings.usable_N):
        ties += [(same[0], other) for other in same[1:]]
        labels = {clip: tuple(clips["labels"][clip].as_py()) for clip in same}
        names = {clip: clips["clip_id"][clip].as_py() for clip in same}
        if len(set(labels.values())) > 1:
            for clip in same:
                other = next(c for c in same if labels[c] != labels[clip])
                findings.leave_out(clip, CONFLICT, f"same sound as {names[other]}, which is labelled otherwise")
            continue
        kept = same[0] if given_N is None else max(same, key=lambda clip: (given_N[clip], -clip))
        for clip in same:
            if clip == kept:
                continue
            leak = given_N is not None and given_N[clip] != given_N[kept]
            where = f" in {SPLITS[given_N[kept]]}" if given_N is not None and leak else ""
            findings.leave_out(clip, LEAK if leak else DUPLICATE, f"same sound as {names[kept]}{where}")
    return ties


def judge_groups(findings: Findings, grouped: Grouped, given_N: NDArray[np.int8]) -> None:
    """Leave out clips whose group has clips in another given split: test before validation before train."""
    usable = findings.usable_N
    highest_G = np.full(len(grouped.groups), -1, np.int8)
    np.maximum.at(highest_G, grouped.group_N[usable], given_N[usable])
    own_N = highest_G[grouped.group_N]
    for clip in np.flatnonzero(usable & (own_N != given_N)).tolist():
        group = grouped.groups[grouped.group_N[clip]]
        detail = f"group {group} is in {SPLITS[own_N[clip]]} and in {SPLITS[given_N[clip]]}"
        findings.leave_out(clip, SPLIT_GROUP, detail)


def _listed(clips: pa.Table, clip: int) -> str:
    """Where a clip is listed, with a colon; nothing where nothing lists it."""
    place = clips["place"][clip].as_py() if "place" in clips.column_names else None
    return f"{place}: " if place else ""


def _claimed(clips: pa.Table, clip: int) -> str:
    """Where a clip is listed, and which of its labels are not known."""
    return (_listed(clips, clip) + ", ".join(clips["unknown_labels"][clip].as_py())).removesuffix(": ")


def _has(lists: Any) -> NDArray[np.bool_]:
    """Which of a column of lists are not empty."""
    import pyarrow.compute as pc

    return np.asarray(pc.list_value_length(lists).to_numpy() > 0, bool)


def _repeated(sound: pa.ChunkedArray[Any], usable_N: NDArray[np.bool_]) -> list[list[int]]:
    """Numbers of usable clips with the same sound, ascending, for every sound that comes up twice or more."""
    import pyarrow as pa
    import pyarrow.compute as pc

    heard_N = usable_N & (pc.fill_null(pc.utf8_length(sound), 0).to_numpy() > 0)
    sounds = sound.filter(pa.array(heard_N)).combine_chunks().dictionary_encode().indices.to_numpy()
    again = np.flatnonzero(np.bincount(sounds)[sounds] > 1)
    by_sound: dict[int, list[int]] = {}
    for number, clip in zip(sounds[again].tolist(), np.flatnonzero(heard_N)[again].tolist(), strict=True):
        by_sound.setdefault(number, []).append(clip)
    return list(by_sound.values())


def _numbers(column: Any) -> NDArray[np.float64]:
    """A column of numbers; nan where there is none, which no comparison is true of."""
    return np.asarray(column.to_numpy(), np.float64)


def _decibels(peak: float) -> str:
    return f"{20 * np.log10(peak):.1f} dBFS" if peak > 0 else "0"
