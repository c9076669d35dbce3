"""A store in a directory: atomic by rename, first-writer-wins by link."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from earmark.errors import UserError
from earmark.store.base import MissingObject, ObjectInfo, damaged, holds

TEMPORARY = ".tmp-"


class Directory:
    """Objects as files below ``root``, which is made on the first write."""

    transfers = 1

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def uri(self) -> str:
        return str(self.root)

    def put(self, key: str, data: bytes) -> None:
        with self._temporary(key) as path:
            path.write_bytes(data)
            path.replace(self._path(key))

    def put_new(self, key: str, data: bytes) -> bool:
        with self._temporary(key) as path:
            path.write_bytes(data)
            try:
                os.link(path, self._path(key))
            except FileExistsError:
                return False
            return True

    def get(self, key: str) -> bytes:
        return self.local(key).read_bytes()

    def local(self, key: str, sha256: str | None = None) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise MissingObject(f"{path} is not there")
        if sha256 is not None and not holds(path, sha256):
            raise damaged(self, key)
        return path

    def part(self, key: str, start: int, length: int) -> bytes:
        with self.local(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def head(self, key: str) -> ObjectInfo | None:
        try:
            stat = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return ObjectInfo(key, stat.st_size, str(stat.st_mtime_ns), stat.st_mtime)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        base = self.root / prefix.rpartition("/")[0]
        found = []
        for folder, folders, files in os.walk(base, followlinks=True):
            folders[:] = [f for f in folders if not f.startswith(".")]
            for name in files:
                path = Path(folder, name)
                key = path.relative_to(self.root).as_posix()
                if not name.startswith(".") and key.startswith(prefix):
                    stat = path.stat() if path.exists() else path.lstat()
                    found.append(ObjectInfo(key, stat.st_size, str(stat.st_mtime_ns), stat.st_mtime))
        yield from sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def unfinished(self) -> Iterator[ObjectInfo]:
        for path in sorted(self.root.rglob(f"{TEMPORARY}*")):
            with suppress(FileNotFoundError):  # finished meanwhile
                stat = path.stat()
                key = path.relative_to(self.root).as_posix()
                yield ObjectInfo(key, stat.st_size, str(stat.st_mtime_ns), stat.st_mtime)

    def discard(self, left: ObjectInfo) -> None:
        self.delete(left.key)

    def _path(self, key: str) -> Path:
        path = self.root / key
        if ".." in Path(key).parts or Path(key).is_absolute():
            raise UserError(f"{key!r} leads out of the store {self.root}")
        return path

    @contextmanager
    def _temporary(self, key: str) -> Iterator[Path]:
        """A free name beside the key's file; whatever is left under it afterwards is removed."""
        target = self._path(key)
        path = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield path
        except OSError as error:
            raise _explained(error, target) from error
        finally:
            with suppress(OSError):
                path.unlink()


def _explained(error: OSError, target: Path) -> UserError | OSError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"the disk of {target.parent} is full: free some space and run the same command again")
    if error.errno == errno.EFBIG:
        return UserError(
            f"{target} may not be as large: raise the limit of files' size (ulimit -f), or use another disk"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return UserError(f"cannot write {target}: {error.strerror}; choose another folder with --work")
    return error
