"""Malformed sounds through catalog, extraction and dataset, and through the way of tagging: what became of each."""

from __future__ import annotations

import resource
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tests.malformed.mutate import Malformed

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import DataConfig, FeatureSpec
from earmark.features import DecodeError, FrameStore, extract_features, frame_blocks, isolated
from earmark.features.isolated import Workers
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.tables import read_table

SPEC = FeatureSpec(storage="float32")  # so that what is not finite shows
CONFIG = DataConfig(max_rejected_share=1.0)
QUIET = Progress("malformed", mode="off")
FILES_AT_ONCE = 1000
SECONDS = 10.0
"""Processor time that each file may take here: the product allows 60 s and more."""

Outcome = tuple[str, str, str]
"""Format, mutation, and what became of the file."""


def judge(files: Iterable[Malformed]) -> dict[str, Any]:
    """What became of files, and what should not have: the run goes on, whatever they are."""
    isolated.SECONDS = SECONDS
    outcomes: Counter[Outcome] = Counter()
    wrong: list[str] = []
    left = iter(files)
    while some := list(islice(left, FILES_AT_ONCE)):
        with tempfile.TemporaryDirectory() as folder:
            _judged(some, Path(folder), outcomes, wrong)
    isolated._Nursery.own()._end()
    return {
        "files": outcomes.total(),
        "outcomes": [[*outcome, count] for outcome, count in sorted(outcomes.items())],
        "wrong": wrong,
        "largest_process_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


def _judged(files: Sequence[Malformed], folder: Path, outcomes: Counter[Outcome], wrong: list[str]) -> None:
    data, store = folder / "data", open_store(folder / "store")
    for file in files:
        path = data / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    catalog = build_catalog(store, str(data), CONFIG, QUIET)
    patches = extract_features(store, catalog, SPEC, CONFIG, QUIET)
    dataset = assemble_dataset(store, catalog, patches, CONFIG, QUIET)

    def rows(manifest: Any, name: str) -> list[dict[str, Any]]:
        return read_table(manifest.files[name].read(store)).to_pylist()

    shas = {row["clip_id"]: row["sha256"] for row in rows(catalog, "clips.parquet")}
    facts = {row["clip_key"]: row for row in rows(patches, "facts.parquet")}
    index = {row["clip_key"]: row for row in rows(patches, "index.parquet")}
    told = {row["clip_id"]: row for row in rows(dataset, "findings.parquet")}
    used = {row["clip_id"] for row in rows(dataset, "dataset.parquet")}
    frames = FrameStore.open(store, patches)
    with Workers(1, frames=False) as workers:
        for file in files:
            key = shas.get(file.name, "")
            reason = facts[key]["reason"] if key in facts else "not in the catalog"
            outcome = (reason or "accepted").partition(":")[0]
            detail = (reason or "").partition(": ")[2]
            if any(words in detail for words in ("decoder crashed", "took more", "wanted more", "killed")):
                outcome = detail
            outcomes[file.format, file.mutation, outcome] += 1
            problems = []
            if reason is None:
                at = index[key]
                if not np.isfinite(frames.clip(at["shard"], at["first_row"], at["rows"])).all():
                    problems.append("its frames are not finite")
                if file.name not in used and file.name not in told:
                    problems.append("neither used nor named")
            elif file.whole:
                problems.append(f"whole, and refused: {reason}")
            elif file.name not in told or told[file.name]["finding"] != reason.partition(":")[0]:
                problems.append(f"refused and not named: {reason}")
            try:
                blocks = frame_blocks(workers.open_blocks(data / file.name), SPEC)
                if not all(np.isfinite(block_TF).all() for block_TF in blocks):
                    problems.append("tagged, its frames are not finite")
            except DecodeError as error:  # by blocks, a damaged file may be refused of which extraction keeps a part
                if file.whole:
                    problems.append(f"whole, and tagging refuses it: {error}")
            except Exception as error:
                problems.append(f"tagging breaks: {error!r}")
            wrong += [f"{file.name} ({file.format}, {file.mutation}): {problem}" for problem in problems]


def as_table(found: dict[str, Any]) -> str:
    """Outcomes by mutation, and by format, as text."""
    names = sorted({outcome for _, _, outcome, _ in found["outcomes"]}, key=lambda name: (name != "accepted", name))
    lines = []
    for what, column in (("mutation", 1), ("format", 0)):
        counts: Counter[tuple[str, str]] = Counter()
        for row in found["outcomes"]:
            counts[row[column], row[2]] += row[3]
        lines.append("| " + " | ".join([what, *names]) + " |")
        lines.append("|" + "---|" * (1 + len(names)))
        kinds = sorted({kind for kind, _ in counts})
        lines += ["| " + " | ".join([kind, *(str(counts[kind, name]) for name in names)]) + " |" for kind in kinds]
        lines.append("")
    return "\n".join(lines)
