"""The step ``embed_dataset``: a trained network's embeddings of every clip, made once for all heads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earmark.catalog import Clip, Dataset
from earmark.catalog.content import column
from earmark.catalog.splits import SPLITS
from earmark.config import EvaluateConfig, FeatureSpec, digest, result_key
from earmark.errors import UserError
from earmark.evaluation.labelled_clips import Packaged
from earmark.features import patch_starts
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    from earmark.evaluation import Model

STEP = "embed_dataset"
EPOCH = 1
SHARD_BYTES = 32_000_000
SHARD = "shard-{}"
INDEX = "index.parquet"
FACTS = "facts.parquet"
"""Of patches: what decoding found. Embeddings that came without sound have none."""
WINDOWS = ("hop_seconds", "max_silent_share")
"""Fields of ``evaluate`` that say where windows are."""


def embed_dataset(
    store: Store,
    dataset: Manifest,
    patches: Manifest,
    source: Packaged,
    evaluate: EvaluateConfig,
    progress: Progress,
) -> Manifest:
    """The embeddings of every clip of all parts, at the windows of evaluation; what is whole by a stop stays.

    Files: ``shard-0``, ``shard-1``, … of about 32 MB (raw float32, rows × E, clip after clip; what the network's head
    takes), ``index.parquet`` (clip_key, shard, first_row, rows). Facts: size (E), rows, clips, source (its title),
    weights_sha256, hop_seconds, max_silent_share.

    Args:
        store: of the results.
        dataset: whose clips.
        patches: their frames.
        source: the network.
        evaluate: how far windows are apart, and how silent they may be.
        progress: told of the clips.

    Raises:
        UserError: the network hears by other features than those of the patches.
    """
    for manifest in (dataset, patches):
        manifest.check(store)
    windows = EvaluateConfig(hop_seconds=evaluate.hop_seconds, max_silent_share=evaluate.max_silent_share)
    sha256 = hashlib.sha256(source.weights).hexdigest()
    described = digest([sha256, source.document["architecture"], source.document["features"]])
    key = result_key(STEP, EPOCH, [dataset.digest, described], {"evaluate": windows})

    def work(attempt: Attempt) -> None:
        # Here, so that what is done already costs no import of torch.
        from earmark.evaluation import model_of

        model = model_of(source.weights, dict(source.document))
        opened = Dataset.open(store, dataset, patches)
        _check_features(source, model.features, opened.frames.spec)
        parts = _embed(attempt, model, opened, windows, progress)
        attempt.facts = {
            "size": model.network.embedding_size,
            **write_index(attempt, parts),
            "source": source.title,
            "weights_sha256": sha256,
            **windows.model_dump(include=set(WINDOWS)),
        }

    return once(store, STEP, key, work)


def write_index(attempt: Attempt, parts: Sequence[Manifest]) -> dict[str, int]:
    """Name the parts' shards as files of the whole and write ``index.parquet``; how many clips and rows there are."""
    import pyarrow as pa

    tables = []
    for number, part in enumerate(parts):
        attempt.name(SHARD.format(number), part.files["rows"])
        table = read_table(part.files[INDEX].read(attempt.store))
        tables.append(table.append_column("shard", pa.array(np.full(table.num_rows, number, np.int32))))
    index = pa.concat_tables(tables)
    attempt.put(INDEX, write_table(index))
    return {"clips": index.num_rows, "rows": sum(column(index, "rows"))}


def write_part(attempt: Attempt, keys: Sequence[str], embeddings: Sequence[NDArray[np.float32]]) -> None:
    """Write the embeddings of some clips, each (P, E) in float32, as ``rows`` and their ``index.parquet``."""
    counts = np.array([len(e_PE) for e_PE in embeddings], np.int32)
    attempt.put("rows", b"".join(np.ascontiguousarray(e_PE, np.float32).tobytes() for e_PE in embeddings))
    first_rows = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])[:-1]
    attempt.put(INDEX, write_table({"clip_key": list(keys), "first_row": first_rows, "rows": counts}))


def _embed(
    attempt: Attempt, model: Model, opened: Dataset, windows: EvaluateConfig, progress: Progress
) -> list[Manifest]:
    from earmark.evaluation.model import score_windows
    from earmark.evaluation.windows import window_starts

    clips = [clip for split in SPLITS for clip in opened.clips(split)]
    done = 0
    parts = []
    for number, group in enumerate(_groups(clips, model.network.embedding_size, windows.hop_seconds)):

        def work(part: Attempt, group: Sequence[Clip] = group, done: int = done) -> None:
            found = []
            for clip in group:
                frames_TF = opened.frames.clip(clip.shard, clip.first_row, clip.rows)
                starts_P = window_starts(frames_TF, model.features, windows.hop_seconds, windows.max_silent_share)
                found.append(score_windows(model, frames_TF, starts_P)[1])
                progress.update(done + len(found), len(clips), "clips")
            write_part(part, [clip.clip_key for clip in group], found)

        parts.append(once(attempt.store, STEP, digest([attempt.key, number]), work))
        done += len(group)
        progress.update(done, len(clips), "clips")
    return parts


def _groups(clips: Sequence[Clip], size: int, hop_seconds: float) -> Iterator[list[Clip]]:
    """Clips in order, in groups whose embeddings fill a shard."""
    group: list[Clip] = []
    filled = 0
    for clip in clips:
        group.append(clip)
        filled += len(patch_starts(clip.rows, hop_seconds)) * size * 4
        if filled >= SHARD_BYTES:
            yield group
            group, filled = [], 0
    if group:
        yield group


def _check_features(source: Packaged, theirs: FeatureSpec, ours: FeatureSpec) -> None:
    if theirs != ours:
        raise UserError(
            f"{source.title} hears by features {theirs.model_dump()}, the patches are {ours.model_dump()}: "
            "extract the features again with the network's own"
        )
