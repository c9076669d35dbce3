"""``export_embeddings``: the embeddings of every clip of a catalog, in objects of about 32 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.content import column
from earmark.config import result_key
from earmark.embeddings.folder import About, fixed_lists, patch_table
from earmark.embeddings.linear import embed_windows
from earmark.embeddings.pca import Pca
from earmark.embeddings.sound import PATCH_SECONDS, values_of
from earmark.errors import UserError
from earmark.features import PATCH_FRAMES, FrameStore, clip_key
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    from earmark.evaluation import Model

STEP = "export_embeddings"
EPOCH = 1
BYTES_A_PART = 32_000_000


def export_embeddings(
    store: Store, catalog: Manifest, patches: Manifest, model: Model, pca: Pca | None, about: About, progress: Progress
) -> Manifest:
    """Embeddings of every clip that has frames.

    Writes ``patches-0000.parquet`` … (file, start_s, embedding), ``clips.parquet`` (file, seconds, patches, embedding)
    and ``embeddings.json``, as a folder of ``earmark embed`` has them.

    Raises:
        UserError: the patches were made for another front end than the model's, or there is no PCA where one is needed.
    """
    if patches.facts["spec"] != model.features.model_dump():
        raise UserError(f"these patches were not made for model {about.model}: extract them with its features")
    key = result_key(STEP, EPOCH, [catalog.digest, patches.digest, about.weights_sha256, about.kind])
    return once(store, STEP, key, lambda attempt: _export(attempt, catalog, patches, model, pca, about, progress))


def _export(
    attempt: Attempt,
    catalog: Manifest,
    patches: Manifest,
    model: Model,
    pca: Pca | None,
    about: About,
    progress: Progress,
) -> None:
    import pyarrow as pa

    store = attempt.store
    frames = FrameStore.open(store, patches)
    found: list[tuple[str, float, int, NDArray[Any]]] = []
    part: list[pa.Table] = []
    parts = total = 0

    def write() -> None:
        nonlocal parts, part
        if part:
            attempt.put(f"patches-{parts:04d}.parquet", write_table(pa.concat_tables(part)))
            parts, part = parts + 1, []

    clips = _clips(store, catalog, patches)
    for done, (file, seconds, shard, first_row, rows) in enumerate(clips, start=1):
        frames_TF = frames.clip(shard, first_row, rows)
        linear_PE = embed_windows(model, frames_TF, np.arange(rows // PATCH_FRAMES, dtype=np.int64) * PATCH_FRAMES)
        values_PK = values_of(linear_PE, about.kind, pca)
        clip_E = linear_PE.mean(axis=0, dtype=np.float64).astype(np.float32)
        found.append((file, seconds, len(values_PK), values_of(clip_E[None], about.kind, pca)[0]))
        starts_P: NDArray[np.float64] = np.arange(len(values_PK), dtype=np.float64) * PATCH_SECONDS
        part.append(patch_table([file] * len(values_PK), starts_P, values_PK))
        total += len(values_PK)
        if sum(table.nbytes for table in part) >= BYTES_A_PART:
            write()
        progress.update(done, len(clips), "clips")
    write()
    if not found:
        raise UserError("none of these sounds could be embedded: the facts of the patches tell why")
    files, lengths, counts, values = zip(*found, strict=True)
    columns = {"file": pa.array(files, pa.string()), "seconds": pa.array(lengths), "patches": pa.array(counts)}
    attempt.put("clips.parquet", write_table({**columns, "embedding": fixed_lists(np.stack(values))}))
    attempt.facts = {
        "model": about.model,
        "weights_sha256": about.weights_sha256,
        "kind": about.kind,
        "size": len(values[0]),
        "clips": len(files),
        "patches": total,
    }
    attempt.put_json("embeddings.json", {**attempt.facts, "patch_seconds": PATCH_SECONDS})


def _clips(store: Store, catalog: Manifest, patches: Manifest) -> list[tuple[str, float, int, int, int]]:
    """(clip id, seconds, shard, first row, rows) of the clips that have frames, in order of their ids."""
    listed = read_table(catalog.files["clips.parquet"].read(store))
    index = read_table(patches.files["index.parquet"].read(store))
    facts = read_table(patches.files["facts.parquet"].read(store))
    places = zip(*(column(index, name) for name in ("shard", "first_row", "rows")), strict=True)
    at = dict(zip(column(index, "clip_key"), places, strict=True))
    seconds = dict(zip(column(facts, "clip_key"), column(facts, "seconds"), strict=True))
    rows = zip(*(column(listed, name) for name in ("clip_id", "sha256", "start_s", "end_s")), strict=True)
    keys = sorted((clip_id, clip_key(*segment)) for clip_id, *segment in rows)
    return [(clip_id, seconds[key], *at[key]) for clip_id, key in keys if key in at]
