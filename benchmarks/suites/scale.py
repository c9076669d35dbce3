"""A made-up catalog of two million clips from its CSV to batches and scores, each step in a process of its own.

Sound alone is left out: headers and features are written into the store as extraction would have written them.

python -m benchmarks.suites.scale STAGE ROWS FOLDER   # one step, in this process
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Figure
from benchmarks.machine import ROOT

TITLE = "Two million clips within 4 GiB: catalog, partitions, dataset, sampler, metrics"
FLOOR_MIB = 4096.0
LABELS = 527
FOLDS = 10
ROWS_A_SHARD = 512_000
CLIP_ROWS = 998
"""Log-mel frames of ten seconds."""
STAGES = {
    "claims": "CSV and listing read",
    "catalog": "catalog built, headers known",
    "partitions": "partitions planned",
    "dataset": "dataset assembled",
    "sampler": "dataset opened, a thousand batches drawn",
    "metrics": "AP and AUC of every label over all clips, 32 labels a block",
}


def measure(full: bool) -> Iterator[Figure]:
    """Seconds and peak memory of every step; a later one starts from what the one before it stored."""
    rows = 2_000_000 if full else 100_000
    with tempfile.TemporaryDirectory(prefix="earmark-scale-") as folder:
        _alone("made", rows, folder)
        for stage, what in STAGES.items():
            if stage == "partitions":
                _alone("extracted", rows, folder)
            found = _alone(stage, rows, folder)
            title = f"{rows:,} clips, {what}"
            name = f"scale/{rows}/{stage}"
            yield Figure(f"{name}/seconds", title, (found["seconds"],), "s", "less", note=found["note"])
            yield Figure(f"{name}/memory", f"{title}: peak memory", (found["mib"],), "MiB", "less", floor=FLOOR_MIB)


def _alone(stage: str, rows: int, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.suites.scale", stage, str(rows), folder]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(stage: str, rows: int, folder: Path) -> None:
    """One step; a JSON line of processor seconds, peak MiB and a note on standard output."""
    work = {
        **{"made": _made, "claims": _claims, "catalog": _catalog, "extracted": _extracted},
        **{"partitions": _partitions, "dataset": _dataset, "sampler": _sampler, "metrics": _metrics},
    }[stage]
    started = time.process_time()
    note = work(rows, folder)
    print(json.dumps({"seconds": time.process_time() - started, "mib": peak_mib(), "note": note}))


def peak_mib() -> float:
    """Of this process; ``ru_maxrss`` would count what the parent had when it started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _uri(number: int) -> str:
    return f"audio/{number // 1000:04d}/{number:07d}.flac"


def _there(rows: int) -> Iterator[int]:
    """Numbers of the clips that have a file: all but one in a thousand."""
    return (number for number in range(rows) if number % 1000 != 7)


def _made(rows: int, folder: Path) -> str:
    """The CSV, the list of labels, and the headers as an earlier run would have kept them."""
    from earmark.catalog.headers import FILES_A_PART, Header, _keep
    from earmark.config import digest
    from earmark.store import Directory

    draw = np.random.default_rng(0)
    data = folder / "data"
    data.mkdir()
    (data / "labels.csv").write_text("id,name\n" + "".join(f"/m/{c:04d},label {c}\n" for c in range(LABELS)))
    weight_C = 1 / np.arange(1, LABELS + 1) ** 0.8
    first_N = draw.choice(LABELS, rows, p=weight_C / weight_C.sum())
    others_N3 = draw.integers(0, LABELS, (rows, 3))
    count_N = draw.integers(0, 4, rows)
    with (data / "clips.csv").open("w") as file:
        file.write("file,label,fold,group\n")
        for number, (first, others, count) in enumerate(zip(first_N, others_N3, count_N, strict=True)):
            labels = ";".join(f"/m/{label:04d}" for label in (first, *others[:count]))
            file.write(f"{_uri(number)},{labels},{number // 2 % FOLDS + 1},video{number // 2}\n")
    made, store = _data(rows, folder), Directory(folder / "store")
    infos = [info for info in made.list() if info.key.endswith(".flac")]
    for at in range(0, len(infos), FILES_A_PART):
        part = infos[at : at + FILES_A_PART]
        headers = [Header(f"{int(info.key[-12:-5]):064x}", 16_000, 1, 10.0) for info in part]
        _keep(store, f"catalog/{digest(made.uri)}/headers", part, headers)
    return ""


def _data(rows: int, folder: Path) -> Any:
    """The data set's folder, with audio files that are listed and lie nowhere."""
    from earmark.store import Directory, ObjectInfo

    class Listed(Directory):
        def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
            yield from (
                ObjectInfo(_uri(number), 90_000 + number % 999, f"{10**18 + number}") for number in _there(rows)
            )
            yield from super().list(prefix)

    return Listed(folder / "data")


def _with_data(rows: int, folder: Path) -> str:
    """Have the catalog open the made-up folder; its CSV as ``--data`` has it."""
    from earmark.catalog import root

    root.open_store = lambda _where: _data(rows, folder)
    return str(folder / "data" / "clips.csv")


def _keep_manifest(folder: Path, manifest: Any) -> None:
    (folder / f"{manifest.step}.json").write_text(manifest.to_json())


def _manifest(folder: Path, step: str) -> Any:
    from earmark.store import Manifest

    return Manifest.from_json((folder / f"{step}.json").read_text())


def _claims(rows: int, folder: Path) -> str:
    from earmark.catalog.adapters import read_claims
    from earmark.catalog.root import open_root
    from earmark.config import DataConfig

    claims = read_claims(open_root(_with_data(rows, folder)), DataConfig())
    return f"{len(claims.uris):,} clips"


def _catalog(rows: int, folder: Path) -> str:
    from earmark.catalog import build_catalog
    from earmark.config import DataConfig
    from earmark.progress import Progress
    from earmark.store import Directory

    store = Directory(folder / "store")
    made = build_catalog(store, _with_data(rows, folder), DataConfig(), Progress("catalog", "off"))
    _keep_manifest(folder, made)
    return f"{made.facts['clips']:,} clips, {made.files['clips.parquet'].size / 2**20:.0f} MiB of Parquet"


def _extracted(_rows: int, folder: Path) -> str:
    """Facts and index of every clip, as ``extract_features`` writes them; one in a thousand is refused or repeated."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from earmark.config import FeatureSpec
    from earmark.features import clip_key
    from earmark.features.clip import MISSING, UNDECODABLE
    from earmark.features.shards import FACTS_FIELDS
    from earmark.store import Directory, once
    from earmark.store.tables import read_table, write_table

    store, catalog = Directory(folder / "store"), _manifest(folder, "build_catalog")
    sha256 = read_table(catalog.files["clips.parquet"].read(store))["sha256"].to_pylist()
    keys = pa.array(sorted(clip_key(each, None, None) for each in set(sha256)), pa.string())
    n = len(keys)
    bad_N = np.arange(n) % 1000 == 3
    sound_N = np.where(np.arange(n) % 1000 == 5, np.arange(n) - 1, np.arange(n))
    reasons = [f"{UNDECODABLE}: made up" if bad else None for bad in bad_N.tolist()]
    if keys[0].as_py() == "":
        reasons[0] = MISSING
    columns = {
        "clip_key": keys,
        "sound_sha256": [f"{sound:064x}" for sound in sound_N.tolist()],
        "seconds": np.full(n, 10.0),
        "rate": np.full(n, 16_000),
        "channels": np.ones(n),
        "peak": np.full(n, 0.5),
        "clipped_share": np.zeros(n),
        "finite": np.ones(n, bool),
        "reason": reasons,
    }
    facts = pa.table({field.name: pa.array(columns[field.name], field.type) for field in FACTS_FIELDS})
    kept = facts.filter(pc.is_null(facts["reason"]))["clip_key"]
    row_K = np.arange(len(kept)) * CLIP_ROWS
    index = pa.table(
        {
            "clip_key": kept,
            "shard": pa.array(row_K // ROWS_A_SHARD, pa.int32()),
            "first_row": pa.array(row_K % ROWS_A_SHARD, pa.int64()),
            "rows": pa.array(np.full(len(kept), CLIP_ROWS), pa.int32()),
        }
    )

    def work(attempt: Any) -> None:
        attempt.put("facts.parquet", write_table(facts))
        attempt.put("index.parquet", write_table(index))
        attempt.facts = {"spec": FeatureSpec().model_dump(), "clips": n}

    _keep_manifest(folder, once(store, "extract_features", "made-up", work))
    return ""


def _partitions(_rows: int, folder: Path) -> str:
    from earmark.config import DataConfig, FeatureSpec
    from earmark.features.plan import fixed_plan, patches_key, wanted
    from earmark.features.shards import Parts
    from earmark.store import Directory

    store, catalog, spec = Directory(folder / "store"), _manifest(folder, "build_catalog"), FeatureSpec()
    clips = wanted(store, catalog)
    plan = fixed_plan(Parts(store, spec), patches_key(catalog, spec, DataConfig()), clips, 16)
    shares = [sum(map(len, plan.share(number, 16).values())) for number in range(1, 17)]
    return f"16 partitions of {min(shares):,} to {max(shares):,} clips in {len(plan.new):,} parts"


def _dataset(_rows: int, folder: Path) -> str:
    from earmark.catalog import assemble_dataset
    from earmark.config import DataConfig
    from earmark.progress import Progress
    from earmark.store import Directory

    catalog, patches = _manifest(folder, "build_catalog"), _manifest(folder, "extract_features")
    progress = Progress("dataset", "off")
    made = assemble_dataset(Directory(folder / "store"), catalog, patches, DataConfig(), progress)
    _keep_manifest(folder, made)
    return ", ".join(f"{count:,} {split}" for split, count in made.facts["clips"].items())


def _opened(folder: Path) -> Any:
    from earmark.catalog import Dataset
    from earmark.store import Directory

    dataset, patches = _manifest(folder, "assemble_dataset"), _manifest(folder, "extract_features")
    return Dataset.open(Directory(folder / "store"), dataset, patches)


def _sampler(_rows: int, folder: Path) -> str:
    from earmark.config import TrainConfig
    from earmark.training.sampler import Sampler, balanced, eligible_patches

    opened = _opened(folder).learned(TrainConfig(steps=1, clip_share=0.9))
    clips = opened.clips("train")
    patches = eligible_patches(np.array([clip.rows for clip in clips]), None, random_offset=True)
    patches = balanced(patches, [clip.labels for clip in clips], len(opened.labels), 0.5, seed=0)
    sampler = Sampler(patches, 128, seed=0)
    started = time.process_time()
    seen = {int(clip) for step in range(1000) for clip in sampler.batch(step)[0]}
    each_ms = time.process_time() - started
    return f"{patches.turns:,} draws an epoch, {len(seen):,} clips in a thousand batches, {each_ms:.2f} ms a batch"


def _metrics(_rows: int, folder: Path) -> str:
    from earmark.metrics import score_blocks

    opened = _opened(folder)
    draw = np.random.default_rng(0)
    tables = [opened._rows(split) for split in ("train", "validation", "test")]
    clip_M, label_M = _pairs([table["labels"] for table in tables])
    clips = sum(table.num_rows for table in tables)
    del tables

    def blocks() -> Iterator[tuple[Any, Any]]:
        for first in range(0, len(opened.labels), 32):
            width = min(32, len(opened.labels) - first)
            own = (label_M >= first) & (label_M < first + width)
            truth_NB = np.zeros((clips, width), bool)
            truth_NB[clip_M[own], label_M[own] - first] = True
            yield truth_NB, draw.standard_normal((clips, width), np.float32) + truth_NB

    found = score_blocks(blocks())
    return f"{found.clips:,} clips × {len(found.ap_C)} labels, mAP {found.map:.3f}"


def _pairs(columns: list[Any]) -> tuple[Any, Any]:
    """The (clip, label) pairs of columns of label lists, clips numbered through."""
    import pyarrow.compute as pc

    firsts = np.cumsum([0, *(len(column) for column in columns)])
    clips = [
        pc.list_parent_indices(column.combine_chunks()).to_numpy() + first
        for column, first in zip(columns, firsts, strict=False)
    ]
    return np.concatenate(clips), np.concatenate([pc.list_flatten(column).to_numpy() for column in columns])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
