"""Bytes' digests and the headers' claims, read by threads; what is known of a file that has not changed is kept."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields

from earmark.catalog.root import DataRoot
from earmark.config import digest
from earmark.errors import UserError
from earmark.features.isolated import Workers, cores
from earmark.features.segments import LONG_BYTES
from earmark.features.sources import Ranges, digest_of
from earmark.progress import Progress
from earmark.store import MissingObject, ObjectInfo, Store
from earmark.store.tables import read_table, write_table

FILES_A_PART = 16_384
"""What is known is kept in parts of so many files: a run that is killed repeats one part at most."""
MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class Header:
    """A file's digest and what its header claims; an unreadable header is None throughout.

    Attributes:
        sha256: digest of the bytes, empty where the file is not there or may not be read.
        rate: samples a second.
        channels: number of channels.
        seconds: duration.
    """

    sha256: str
    rate: int | None = None
    channels: int | None = None
    seconds: float | None = None


NO_HEADER = Header("")
"""Of a file that is not there."""


def read_headers(root: DataRoot, uris: Sequence[str], store: Store, progress: Progress) -> dict[str, Header]:
    """The header of each file, by its key; each file's bytes are read once, and never again while its mark stays.

    Of a long file no more than a few megabytes are in memory at a time.

    Args:
        root: where the files lie.
        uris: keys of the files.
        store: keeps what is known.
        progress: told how many files are done, with the gigabytes read.
    """
    folder = f"catalog/{digest(root.store.uri)}/headers"
    wanted = {uri: root.audio[uri] for uri in uris if uri in root.audio}
    headers = dict(_known(store, folder, wanted))
    new = [info for uri, info in wanted.items() if uri not in headers]
    meter = _Meter(progress, len(headers), len(wanted))
    if not new:
        return headers
    with _pool(root.store) as pool, Workers(cores(), frames=False) as workers:
        for at in range(0, len(new), FILES_A_PART):
            part = new[at : at + FILES_A_PART]
            found: list[Header] = []
            try:
                for header in pool.map(lambda info: _read(root.store, info, workers, meter.read), part):
                    found.append(header)
                    meter.file()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                workers.close()
                raise
            headers |= {info.key: header for info, header in zip(part, found, strict=True)}
            _keep(store, folder, part, found)
    return headers


class _Meter:
    """Counts files and bytes as threads read them, for whoever watches."""

    def __init__(self, progress: Progress, done: int, total: int) -> None:
        self._progress, self._done, self._total, self._bytes = progress, done, total, 0
        self._lock = threading.Lock()

    def read(self, size: int) -> None:
        with self._lock:
            self._bytes += size
            self._tell()

    def file(self) -> None:
        with self._lock:
            self._done += 1
            self._tell()

    def _tell(self) -> None:
        self._progress.update(self._done, self._total, "files", gigabytes=self._bytes / 1e9)


def _pool(data: Store) -> ThreadPoolExecutor:
    threads = max(min(MAX_THREADS, os.cpu_count() or 1), data.transfers)
    return ThreadPoolExecutor(threads, thread_name_prefix="headers")


def _read(data: Store, info: ObjectInfo, workers: Workers, told: Callable[[int], None]) -> Header:
    try:
        if info.size >= LONG_BYTES:
            ranges = Ranges(data, info)
            sha256, claimed = digest_of(data, info, told), workers.header(ranges.buffered(), info.size)
            ranges.check()
        else:
            content = data.get(info.key)
            told(len(content))
            sha256, claimed = hashlib.sha256(content).hexdigest(), workers.header(content, len(content))
    except (MissingObject, PermissionError):  # gone since it was listed, or not ours to read: a finding, not the end
        return NO_HEADER
    return Header(sha256, *(claimed or ()))


def _known(store: Store, folder: str, wanted: dict[str, ObjectInfo]) -> Iterator[tuple[str, Header]]:
    """What earlier runs kept of files that still have the same size and mark; damaged parts are dropped."""
    for part in list(store.list(f"{folder}/")):
        data = store.get(part.key)
        try:
            if not part.key.endswith(f"-{hashlib.sha256(data).hexdigest()}.parquet"):
                raise UserError("damaged")
            rows = read_table(data).to_pydict()
        except UserError:
            store.delete(part.key)
            continue
        columns = [rows[name] for name in ("uri", "size", "mark", *(field.name for field in fields(Header)))]
        for uri, size, mark, *values in zip(*columns, strict=True):
            info = wanted.get(uri)
            if info is not None and (info.size, info.mark) == (size, mark) and values[0]:
                yield info.key, Header(*values)


def _keep(store: Store, folder: str, infos: Sequence[ObjectInfo], headers: Sequence[Header]) -> None:
    import pyarrow as pa

    types = {"sha256": pa.string(), "rate": pa.int32(), "channels": pa.int32(), "seconds": pa.float64()}
    values = list(zip(*(astuple(header) for header in headers), strict=True))
    columns = {name: pa.array(column, kind) for (name, kind), column in zip(types.items(), values, strict=True)}
    listed = {name: [getattr(info, name) for info in infos] for name in ("size", "mark")}
    data = write_table({"uri": [info.key for info in infos], **listed, **columns})
    store.put(f"{folder}/part-{hashlib.sha256(data).hexdigest()}.parquet", data)
