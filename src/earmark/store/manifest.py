"""A step's result: what it wrote, under which digests, and what it found. Committed by a marker written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from earmark.errors import UserError
from earmark.store.base import CorruptObject, MissingObject, Store, damaged, each

SCHEMA_VERSION = 1
T = TypeVar("T")


@dataclass(frozen=True)
class FileRef:
    """One object of a result."""

    object: str
    size: int
    sha256: str

    def read(self, store: Store) -> bytes:
        """The object's bytes, checked against the manifest.

        Raises:
            CorruptObject: the bytes are not those that were written.
        """
        data = store.get(self.object)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise damaged(store, self.object)
        return data

    def local(self, store: Store) -> Path:
        """A local file with the object's bytes, checked against the manifest.

        Raises:
            CorruptObject: the bytes are not those that were written.
        """
        return store.local(self.object, self.sha256)


@dataclass(frozen=True)
class Manifest:
    """The document that a step hands on: small JSON, naming every object with size and sha256.

    ``digest`` is the result's content, free of how it happens to lie; what follows is keyed by it.
    """

    step: str
    key: str
    digest: str
    files: dict[str, FileRef]
    facts: dict[str, Any]
    reused: bool = field(default=False, compare=False)

    def to_json(self) -> str:
        """The document as it travels."""
        files = {name: vars(ref) for name, ref in sorted(self.files.items())}
        document = {
            "schema_version": SCHEMA_VERSION,
            "step": self.step,
            "key": self.key,
            "digest": self.digest,
            "files": files,
            "facts": self.facts,
        }
        return json.dumps({**document, "seal": _seal(document)}, sort_keys=True, indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str | bytes, *, reused: bool = False) -> Manifest:
        """Read what :meth:`to_json` wrote.

        Raises:
            UserError: written by a version with another schema.
            CorruptObject: not what was written; whoever knows where it lies names it.
        """
        document = read_object(text)
        seal = document.pop("seal", None)
        if seal not in (None, _seal(document)):
            raise CorruptObject(f"a {document.get('step')} manifest is damaged (its seal differs): run the step again")
        if document.get("schema_version") != SCHEMA_VERSION:
            raise UserError(
                f"a {document.get('step', 'result')} manifest of schema {document.get('schema_version')} "
                f"where this version reads {SCHEMA_VERSION}: run the step again with this version"
            )
        files = {name: FileRef(**ref) for name, ref in document["files"].items()}
        return Manifest(document["step"], document["key"], document["digest"], files, document["facts"], reused=reused)

    @staticmethod
    def failure(step: str, variant: str, cause: str, exit_code: int = 1) -> Manifest:
        """What a step hands on in place of a result, where its failure must not take the others with it."""
        return Manifest(step, "", "", {}, {"variant": variant, "failed": cause, "exit_code": exit_code})

    @property
    def failed(self) -> str | None:
        """The cause, if this stands for a failure."""
        return self.facts.get("failed")

    def missing(self, store: Store) -> list[str]:
        """Names of the files that are not in the store in the stated size: a cheap look, no content read."""
        found = each(store, lambda ref: store.head(ref.object), self.files.values())
        heads = dict(zip(self.files, found, strict=True))
        return [n for n, head in heads.items() if head is None or head.size != self.files[n].size]

    def check(self, store: Store) -> Manifest:
        """This manifest, if all it names is there.

        Raises:
            MissingObject: with the first object that is not.
        """
        gone = self.missing(store)
        if gone:
            raise MissingObject(f"{self.files[gone[0]].object} of {self.step} is not in {store.uri}: run it again")
        return self


class Attempt:
    """One try at a result: a place for its files. Nothing counts until the marker names it."""

    def __init__(self, store: Store, step: str, key: str) -> None:
        self.store, self.step, self.key = store, step, key
        self.folder = f"results/{step}/{key}"
        self.files: dict[str, FileRef] = {}
        self.facts: dict[str, Any] = {}
        self.digest: str | None = None

    def put(self, name: str, data: bytes) -> FileRef:
        """Write a file of the result; its content's digest is in its key, so attempts never overwrite each other."""
        sha256 = hashlib.sha256(data).hexdigest()
        stem, dot, suffix = name.partition(".")
        key = f"{self.folder}/{stem}-{sha256[:12]}{dot}{suffix}"
        self.store.put(key, data)
        return self.name(name, FileRef(key, len(data), sha256))

    def put_json(self, name: str, value: Any) -> FileRef:
        """Write a JSON file of the result."""
        return self.put(name, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode())

    def name(self, name: str, ref: FileRef) -> FileRef:
        """Name an object that lies elsewhere (a shared shard, a checkpoint) as a file of the result."""
        self.files[name] = ref
        return ref

    def manifest(self) -> Manifest:
        """What this attempt made."""
        listed = json.dumps({name: ref.sha256 for name, ref in self.files.items()}, sort_keys=True)
        content = self.digest or hashlib.sha256(listed.encode()).hexdigest()[:32]
        return Manifest(self.step, self.key, content, dict(self.files), _plain(self.facts))


def read_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        CorruptObject: it is none; whoever knows where it lies names it.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CorruptObject(f"a JSON document is damaged ({error}): run the same command again") from error
    if not isinstance(document, dict):
        raise CorruptObject("a JSON document is damaged (it is no object): run the same command again")
    return document


def read_named(store: Store, key: str, read: Callable[[bytes], T]) -> T:
    """What ``read`` makes of an object's bytes.

    Raises:
        CorruptObject: they are not what was written; with the object's name.
    """
    data = store.get(key)
    try:
        return read(data)
    except CorruptObject as error:
        raise CorruptObject(f"{key} in {store.uri} is damaged: delete it and run the same command again") from error


def find(store: Store, step: str, key: str) -> Manifest | None:
    """The committed result under a key, if its marker is whole and all that it names is there."""
    marker = _marker(step, key)
    if store.head(marker) is None:
        return None
    try:
        manifest = Manifest.from_json(store.get(marker), reused=True)
    except CorruptObject:
        manifest = None
    if manifest is None or (manifest.step, manifest.key) != (step, key) or manifest.missing(store):
        store.delete(marker)
        return None
    return manifest


def once(store: Store, step: str, key: str, work: Callable[[Attempt], None]) -> Manifest:
    """The result under a key: found, or made by ``work`` and committed by a marker written last.

    Of several attempts at once the first marker wins, and all return what it names.
    """
    done = find(store, step, key)
    if done is not None:
        return done
    attempt = Attempt(store, step, key)
    work(attempt)
    made = attempt.manifest().check(store)
    if store.put_new(_marker(step, key), made.to_json().encode()):
        return made
    return read_named(store, _marker(step, key), Manifest.from_json)


def forget(store: Store, step: str, key: str) -> None:
    """Take back a result's marker: what it stands for, outside the store, is gone."""
    store.delete(_marker(step, key))


def load(path: str | Path) -> Manifest:
    """The manifest in an artifact's file.

    Raises:
        CorruptObject: the file holds another thing.
    """
    return Manifest.from_json(Path(path).read_bytes())


def _marker(step: str, key: str) -> str:
    return f"results/{step}/{key}/done.json"


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Facts in plain JSON types, so that a fresh manifest equals one read back."""
    facts: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
    return facts
