"""A folder of embeddings: what made them, a table of clips, the patches in the wanted format, the PCA."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.catalog.content import column
from earmark.embeddings.pca import Pca
from earmark.embeddings.records import record, sequence_example
from earmark.embeddings.sound import PATCH_SECONDS, Embedded, floats_of, values_of
from earmark.errors import UserError, unknown_name
from earmark.store.tables import read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
DOCUMENT, CLIPS, PCA = "embeddings.json", "clips.parquet", "pca.safetensors"
FORMATS = ("npz", "parquet", "tfrecord")
ROWS_A_GROUP = 4096


@dataclass(frozen=True)
class About:
    """What made the embeddings of a folder."""

    model: str
    """As it is found again: NAME/VERSION, or a package's folder."""
    weights_sha256: str
    kind: str
    form: str


class Patches(Protocol):
    """Writes the patches of one clip after another."""

    def add(self, file: str, seconds: float, values_PK: NDArray[Any]) -> None:
        """The next clip's."""

    def close(self) -> None:
        """No more clips come."""


class Folder:
    """Takes clips and writes them; the folder is there when all is."""

    def __init__(self, folder: Path, about: About, pca: Pca | None) -> None:
        self._folder, self._about, self._pca = folder, about, pca
        kinds: dict[str, Callable[[Path], Patches]] = {"npz": Npz, "parquet": Parquet, "tfrecord": Records}
        self._patches = kinds[about.form](folder)
        self._rows: list[tuple[str, float, int]] = []
        self._clips: list[NDArray[Any]] = []

    def add(self, file: str, embedded: Embedded) -> None:
        """The next clip."""
        values_PK = values_of(embedded.patches_PE, self._about.kind, self._pca)
        self._patches.add(file, embedded.seconds, values_PK)
        self._rows.append((file, embedded.seconds, len(values_PK)))
        self._clips.append(values_of(embedded.clip_E[None], self._about.kind, self._pca)[0])

    def close(self) -> None:
        """Write what is left: the table of clips, the PCA, and what made it all."""
        import pyarrow as pa

        if not self._rows:
            raise UserError("none of these sounds could be embedded: standard error names each with its reason")
        self._patches.close()
        clips_NK = np.stack(self._clips)
        files, seconds, patches = zip(*self._rows, strict=True)
        columns = {"file": pa.array(files, pa.string()), "seconds": pa.array(seconds), "patches": pa.array(patches)}
        (self._folder / CLIPS).write_bytes(write_table({**columns, "embedding": fixed_lists(clips_NK)}))
        if self._pca is not None:
            self._pca.save(self._folder / PCA)
        document = {
            "schema_version": SCHEMA_VERSION,
            **asdict(self._about),
            "size": clips_NK.shape[1],
            "clips": len(files),
            "patches": sum(patches),
            "patch_seconds": PATCH_SECONDS,
        }
        (self._folder / DOCUMENT).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


@contextmanager
def new_folder(path: Path, about: About, pca: Pca | None) -> Iterator[Folder]:
    """A folder to fill: it takes its place, or that of earlier embeddings, once it is whole.

    Raises:
        UserError: the place holds something else or cannot be written, or an unknown format.
    """
    if about.form not in FORMATS:
        raise unknown_name("format", about.form, FORMATS)
    if about.form == "tfrecord" and about.kind != "uint8":
        raise UserError("TFRecord files hold 8-bit embeddings: give --bits 8")
    if path.exists() and not (path / DOCUMENT).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path} holds something else than embeddings: give a new folder by --to")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".embeddings-", dir=path.parent))
    except OSError as error:
        raise UserError(f"cannot write {path.parent}: {error.strerror}; give another folder by --to") from None
    try:
        fresh.chmod(0o755)
        folder = Folder(fresh, about, pca)
        yield folder
        folder.close()
        if path.exists():
            shutil.rmtree(path)
        fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@dataclass(frozen=True)
class Opened:
    """Clips of a folder of embeddings."""

    about: About
    files: list[str]
    clips_NK: NDArray[np.float32]
    pca: Pca | None


def read_folder(path: Path) -> Opened:
    """The clips of a folder that :func:`new_folder` made; bytes are dequantised.

    Raises:
        UserError: no such folder, or one of another schema.
    """
    try:
        document = json.loads((path / DOCUMENT).read_text(encoding="utf-8"))
        table = read_table((path / CLIPS).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} holds no embeddings ({error}): make them with `earmark embed --to`") from None
    if document.get("schema_version") != SCHEMA_VERSION:
        raise UserError(
            f"{path} holds embeddings of schema {document.get('schema_version')} where this version reads "
            f"{SCHEMA_VERSION}: embed again"
        )
    about = About(**{name: document[name] for name in ("model", "weights_sha256", "kind", "form")})
    values_NK = np.stack(list(table["embedding"].to_numpy())) if table.num_rows else np.empty((0, 0), np.float32)
    pca = Pca.load(path / PCA) if (path / PCA).is_file() else None
    return Opened(about, column(table, "file"), floats_of(values_NK), pca)


class Parquet:
    """``patches.parquet``: file, start_s, embedding."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "patches.parquet"
        self._writer: Any = None
        self._tables: list[pa.Table] = []

    def add(self, file: str, seconds: float, values_PK: NDArray[Any]) -> None:  # noqa: ARG002  (in the clips' table)
        """The next clip's patches."""
        self._tables.append(patch_table([file] * len(values_PK), _starts(len(values_PK)), values_PK))
        if sum(table.num_rows for table in self._tables) >= ROWS_A_GROUP:
            self._flush()

    def close(self) -> None:
        """The last group, and the file's end."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._tables:
            return
        table = pa.concat_tables(self._tables).combine_chunks()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)
        self._tables = []


class Npz:
    """``embeddings.npz``: files, seconds; patch (M, K), patch_file (its index), patch_start_s. Without pickles."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "embeddings.npz"
        self._files: list[str] = []
        self._seconds: list[float] = []
        self._values: list[NDArray[Any]] = []

    def add(self, file: str, seconds: float, values_PK: NDArray[Any]) -> None:
        """The next clip's patches."""
        self._files.append(file)
        self._seconds.append(seconds)
        self._values.append(values_PK)

    def close(self) -> None:
        """Write the file."""
        counts = [len(values_PK) for values_PK in self._values]
        np.savez(
            self._path,
            files=np.array(self._files, dtype=np.str_),
            seconds=np.array(self._seconds),
            patch=np.concatenate(self._values),
            patch_file=np.repeat(np.arange(len(counts)), counts),
            patch_start_s=np.concatenate([_starts(count) for count in counts]),
        )


class Records:
    """``embeddings.tfrecord``: a SequenceExample a clip, as Audio Set's."""

    def __init__(self, folder: Path) -> None:
        self._file: BinaryIO = (folder / "embeddings.tfrecord").open("wb")

    def add(self, file: str, seconds: float, values_PK: NDArray[Any]) -> None:
        """The next clip's record."""
        self._file.write(record(sequence_example(file, 0.0, seconds, (), values_PK)))

    def close(self) -> None:
        """The file's end."""
        self._file.close()


def patch_table(files: list[str], starts_s: NDArray[np.float64], values_PK: NDArray[Any]) -> pa.Table:
    """A table of patches: file, start_s, embedding; its schema carries the version of our tables."""
    import pyarrow as pa

    from earmark.store.tables import SCHEMA_VERSION, VERSION_KEY

    columns = {"file": pa.array(files, pa.string()), "start_s": pa.array(starts_s), "embedding": fixed_lists(values_PK)}
    return pa.table(columns).replace_schema_metadata({VERSION_KEY: SCHEMA_VERSION})


def fixed_lists(values_NK: NDArray[Any]) -> Any:
    """Rows (N, K) as an Arrow column of lists of K values."""
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(values_NK).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values_NK.shape[1])


def _starts(count: int) -> NDArray[np.float64]:
    starts_P: NDArray[np.float64] = np.arange(count, dtype=np.float64) * PATCH_SECONDS
    return starts_P
