"""A store in a bucket of an object store that speaks S3, through the MinIO SDK.

Large objects travel in parts of ``PART_BYTES``, several at once. Each object carries the sha256 of its bytes, checked
whenever it is read. A call is tried again until its deadline (see :mod:`earmark.store.access`) and then ends with the
cause; what is half written has no name in the bucket.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from earmark.errors import EarmarkError, UserError
from earmark.store.access import TRANSFERS, Endpoint, persist
from earmark.store.base import MissingObject, ObjectInfo, damaged, holds
from earmark.store.cache import Cached, Fetch, cache_folder, results

if TYPE_CHECKING:
    from minio import Minio
    from minio.datatypes import ListMultipartUploadsResult, Object, Part
    from urllib3.response import BaseHTTPResponse

T = TypeVar("T")

PART_BYTES = 8 << 20
"""Size of a part of a large object: at 8 MB and more a request's own cost no longer shows."""
MOST_PARTS = 10_000
PIECE_BYTES = 1 << 20
SHA256, WRITER = "x-amz-meta-sha256", "x-amz-meta-writer"
GONE = ("NoSuchKey", "NoSuchObject", "NotFound")


@dataclass(frozen=True)
class Found:
    """An object as its headers tell it: size, mark, and sha256 where its writer gave one."""

    size: int
    mark: str
    modified: float
    sha256: str | None


class S3:
    """Objects below a prefix of a bucket.

    Raises:
        UserError: no endpoint is set, or it cannot be used.
    """

    transfers = TRANSFERS

    def __init__(self, bucket: str, prefix: str = "") -> None:
        self.bucket, self.prefix = bucket, prefix.strip("/")
        self.endpoint = Endpoint.from_environment()
        self._bucket_seen = False

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        headers, until = {SHA256: hashlib.sha256(data).hexdigest()}, self.endpoint.until(len(data))
        if len(data) <= PART_BYTES:
            self._ask(key, lambda client, name: client._put_object(self.bucket, name, data, dict(headers)), until)
        else:
            self._put_parts(key, data, headers, until)

    def put_new(self, key: str, data: bytes) -> bool:
        writer = uuid.uuid4().hex
        headers = {SHA256: hashlib.sha256(data).hexdigest(), WRITER: writer, "If-None-Match": "*"}

        def write(client: Minio, name: str) -> bool:
            from minio.error import S3Error

            try:
                client._put_object(self.bucket, name, data, dict(headers))
            except S3Error as error:
                if error.code != "PreconditionFailed":
                    raise
                # An earlier try of this very call may have written it, and its answer been lost.
                return _header(client.stat_object(self.bucket, name), WRITER) == writer
            return True

        return self._ask(key, write, self.endpoint.until(len(data)))

    def get(self, key: str) -> bytes:
        for _ in range(2):  # it may be replaced while its parts are read
            found, data = self._get(key)
            if found.sha256 in (None, hashlib.sha256(data).hexdigest()):
                return bytes(data)
        raise damaged(self, key)

    def part(self, key: str, start: int, length: int) -> bytes:
        return self._part(key, start, length, self.endpoint.until(length))

    def local(self, key: str, sha256: str | None = None) -> Path:
        for _ in range(3):
            found = self._found(key)
            if found is None:
                raise self._missing(key)
            copy, written = self._copy(key, found), sha256 or found.sha256
            if not copy.whole():
                if copy.fill(partial(self._fetch, key, found.size), _pool(os.getpid()), written):
                    return copy.path
            elif sha256 is None or holds(copy.path, sha256):
                return copy.path
            else:
                copy.drop()
        raise damaged(self, key)

    def head(self, key: str) -> ObjectInfo | None:
        found = self._found(key)
        return None if found is None else ObjectInfo(key, found.size, found.mark, found.modified)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        full = f"{self.prefix}/{prefix}".lstrip("/")
        start = len(self.prefix) + 1 if self.prefix else 0
        found: dict[str, ObjectInfo] = {}
        last: str | None = None

        def read_on() -> None:
            nonlocal last
            client = self.endpoint.client()
            for entry in client.list_objects(self.bucket, full, recursive=True, start_after=last):
                last = entry.object_name or ""
                key = last[start:]
                if not last.endswith("/") and not any(part.startswith(".") for part in key.split("/")):
                    found[key] = ObjectInfo(key, entry.size or 0, _etag(entry.etag), _seconds(entry.last_modified))

        persist(self.endpoint, f"{self.uri}/{prefix}", read_on, self.endpoint.until())
        self._bucket_seen = True
        yield from (found[key] for key in sorted(found))

    def delete(self, key: str) -> None:
        self._ask(key, lambda client, name: client.remove_object(self.bucket, name), self.endpoint.until())

    def unfinished(self) -> Iterator[ObjectInfo]:
        client, place = self.endpoint.client(), f"{self.prefix}/" if self.prefix else ""
        key_marker = id_marker = None
        more = True
        while more:

            def page(key: str | None = key_marker, upload: str | None = id_marker) -> ListMultipartUploadsResult:
                return client._list_multipart_uploads(
                    self.bucket, prefix=place, key_marker=key, upload_id_marker=upload, encoding_type="url"
                )

            told = persist(self.endpoint, self.uri, page, self.endpoint.until())
            for upload in told.uploads:
                if upload.object_name.startswith(place):
                    mark = upload.upload_id or ""
                    sent = client._list_parts(self.bucket, upload.object_name, mark).parts
                    size, key = sum(part.size or 0 for part in sent), upload.object_name.removeprefix(place)
                    yield ObjectInfo(key, size, mark, _seconds(upload.initiated_time))
            more, key_marker, id_marker = told.is_truncated, told.next_key_marker, told.next_upload_id_marker

    def discard(self, left: ObjectInfo) -> None:
        self._ask(
            left.key,
            lambda client, name: client._abort_multipart_upload(self.bucket, name, left.mark),
            self.endpoint.until(),
        )

    def _name(self, key: str) -> str:
        parts = PurePosixPath(key).parts
        if ".." in parts or key.startswith("/") or not parts:
            raise UserError(f"{key!r} leads out of the store {self.uri}")
        return f"{self.prefix}/{key}".lstrip("/")

    def _ask(self, key: str, work: Callable[[Minio, str], T], until: float) -> T:
        from minio.error import S3Error

        name, client = self._name(key), self.endpoint.client()
        try:
            answer = persist(self.endpoint, f"{self.uri}/{key}", lambda: work(client, name), until)
        except S3Error as error:
            if error.code in GONE:
                raise self._missing(key) from error
            raise EarmarkError(f"{self.uri}/{key}: {self.endpoint.url} says {error.code}: {error.message}") from error
        self._bucket_seen = True
        return answer

    def _found(self, key: str) -> Found | None:
        def look(client: Minio, name: str) -> Found:
            from minio.error import S3Error

            try:
                seen = client.stat_object(self.bucket, name)
            except S3Error as error:
                if error.code != "AccessDenied":
                    raise
                # An answer to a look has no body that says why; that to a read has.
                client.get_object(self.bucket, name, 0, 1).close()
                raise
            return Found(seen.size or 0, _etag(seen.etag), _seconds(seen.last_modified), _header(seen, SHA256))

        try:
            return self._ask(key, look, self.endpoint.until())
        except MissingObject:
            self._see_bucket()
            return None

    def _see_bucket(self) -> None:
        """Once: a look for an object is answered in the same way where there is no bucket."""
        if not self._bucket_seen:
            client = self.endpoint.client()

            def look() -> None:
                next(iter(client.list_objects(self.bucket)), None)

            persist(self.endpoint, self.uri, look, self.endpoint.until())
            self._bucket_seen = True

    def _get(self, key: str) -> tuple[Found, bytes | bytearray]:
        def begin(client: Minio, name: str) -> tuple[Found, bytes | None]:
            response = client.get_object(self.bucket, name)
            size = int(response.headers["Content-Length"])
            found = Found(size, _etag(response.headers.get("ETag")), 0.0, response.headers.get(SHA256))
            if size <= 2 * PART_BYTES:
                return found, _body(response, size, until)
            response.close()
            return found, None

        until = self.endpoint.until(2 * PART_BYTES)
        found, whole = self._ask(key, begin, until)
        if whole is not None:
            return found, whole
        data, until = bytearray(found.size), self.endpoint.until(found.size)

        def read(start: int) -> None:
            length = min(PART_BYTES, found.size - start)
            data[start : start + length] = self._part(key, start, length, until)

        results(_pool(os.getpid()).submit(read, start) for start in range(0, found.size, PART_BYTES))
        return found, data

    def _fetch(self, key: str, size: int) -> Fetch:
        """Reads parts of an object of that size within one deadline, which begins now."""
        until = self.endpoint.until(size)
        return lambda start, length: self._part(key, start, length, until)

    def _part(self, key: str, start: int, length: int, until: float) -> bytes:
        def read(client: Minio, name: str) -> bytes:
            return _body(client.get_object(self.bucket, name, start, length), length, until)

        return self._ask(key, read, until)

    def _put_parts(self, key: str, data: bytes, headers: dict[str, str], until: float) -> None:
        from minio.datatypes import Part

        length = max(PART_BYTES, -(-len(data) // MOST_PARTS))
        view, pool = memoryview(data), _pool(os.getpid())
        upload = self._ask(key, lambda c, name: c._create_multipart_upload(self.bucket, name, dict(headers)), until)

        def write(number: int) -> Part:
            part = bytes(view[(number - 1) * length : number * length])

            def put(client: Minio, name: str) -> str:
                return client._upload_part(self.bucket, name, part, None, upload, number)

            return Part(number, self._ask(key, put, until))

        try:
            parts = results(pool.submit(write, number) for number in range(1, 1 + -(-len(data) // length)))
            self._ask(
                key, lambda client, name: _complete(client, self.bucket, name, upload, parts, headers[SHA256]), until
            )
        except BaseException:
            with suppress(Exception):
                self.endpoint.client()._abort_multipart_upload(self.bucket, self._name(key), upload)
            raise

    def _copy(self, key: str, found: Found) -> Cached:
        content = found.sha256 or hashlib.sha256(f"{self.uri}/{key} {found.mark}".encode()).hexdigest()
        return Cached(cache_folder() / content[:2] / content, found.size, PART_BYTES)

    def _missing(self, key: str) -> MissingObject:
        return MissingObject(f"{self.uri}/{key} is not there")


def _complete(client: Minio, bucket: str, name: str, upload: str, parts: list[Part], sha256: str) -> None:
    from minio.error import S3Error

    try:
        client._complete_multipart_upload(bucket, name, upload, parts)
    except S3Error as error:
        # An earlier try may have completed it, and its answer been lost.
        if error.code != "NoSuchUpload" or _header(client.stat_object(bucket, name), SHA256) != sha256:
            raise


@lru_cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """Moves the parts of large objects; one a process."""
    return ThreadPoolExecutor(TRANSFERS, "s3")


def _body(response: BaseHTTPResponse, length: int, until: float) -> bytes:
    """All that a response holds; the connection is given back, or closed where it broke or took too long."""
    pieces = []
    try:
        while piece := response.read(PIECE_BYTES):
            pieces.append(piece)
            if time.monotonic() > until:
                raise TimeoutError(f"{sum(map(len, pieces))} of {length} bytes came in time")
        if sum(map(len, pieces)) != length:
            raise ConnectionError(f"{sum(map(len, pieces))} bytes came where {length} were told")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return b"".join(pieces)


def _header(found: Object, name: str) -> str | None:
    value: str | None = (found.metadata or {}).get(name)
    return value


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time is not None else 0.0


def _etag(text: str | None) -> str:
    return (text or "").strip('"')
