"""``list_clips``: every audio file below a folder as a clip without labels, for what needs none."""

from __future__ import annotations

from earmark.catalog.content import content_digest
from earmark.catalog.headers import read_headers
from earmark.catalog.root import DataRoot, open_root
from earmark.config import result_key
from earmark.progress import Progress
from earmark.store import Attempt, Manifest, Store, once
from earmark.store.tables import write_table

STEP = "list_clips"
EPOCH = 1


def list_clips(store: Store, data: str, progress: Progress) -> Manifest:
    """The catalog of a folder's sounds, as far as ``extract_features`` reads one; nothing is decoded.

    Raises:
        UserError: no data, or no audio.
    """
    root = open_root(data)
    key = result_key(STEP, EPOCH, [root.digest()])
    return once(store, STEP, key, lambda attempt: _list(attempt, root, progress))


def _list(attempt: Attempt, root: DataRoot, progress: Progress) -> None:
    import pyarrow as pa

    uris = sorted(root.audio)
    headers = read_headers(root, uris, attempt.store, progress)
    whole = pa.nulls(len(uris), pa.float64())
    table = pa.table(
        {
            "clip_id": pa.array(uris, pa.string()),
            "uri": pa.array(uris, pa.string()),
            "sha256": pa.array([headers[uri].sha256 for uri in uris], pa.string()),
            "start_s": whole,
            "end_s": whole,
            "claimed_seconds": pa.array([headers[uri].seconds for uri in uris], pa.float64()),
        }
    )
    attempt.put("clips.parquet", write_table(table))
    attempt.digest = content_digest(table, ("clip_id", "sha256"), [])
    attempt.facts = {"data": root.store.uri, "clips": len(uris)}
