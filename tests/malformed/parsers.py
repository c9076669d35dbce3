"""Parsers of what people give, under bytes that nobody would: an error that can be told, soon, in little memory.

``python -m tests.malformed.parsers --count 200000 --seed 0`` tries so many mutations of real inputs on each.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from safetensors.numpy import save
from tests.malformed.mutate import BYTES
from tf_files import write_v1, write_v2

from earmark.architectures.tf_checkpoint import index_of, read_checkpoint
from earmark.catalog.csv import read_csv
from earmark.catalog.ontology import parse_ontology
from earmark.catalog.root import DataRoot
from earmark.catalog.sheet import Sheet
from earmark.catalog.text import read_text
from earmark.config import make_config
from earmark.embeddings import Pca
from earmark.embeddings.published import read_examples
from earmark.embeddings.records import record, sequence_example
from earmark.errors import EarmarkError
from earmark.pipelines.cluster import read_cluster
from earmark.pipelines.kubeflow.schedules import read_schedules
from earmark.pipelines.settings import assignment, read_yaml
from earmark.pipelines.study_file import study_request
from earmark.registry.package import read_package
from earmark.store import ObjectInfo, open_store
from earmark.store.tensors import check_safetensors

REPOSITORY = Path(__file__).parents[2]
MOST_MIB, MOST_SECONDS = 256, 5.0
"""What a parser may take for an input of some kilobytes, in the long form."""
MUTATIONS = ("truncated", "bits flipped", "overwritten", "lying field", "nested, doubled", "text")
WORDS = [
    *(b"\x80" * 4000, b"\xff" * 4000, b"[" * 1000, b"{a: " * 500, b"- " * 500, b"9" * 5000, b"2001-99-99"),
    *(b"&a [*a]", b"? [a, b]\n: c", b"<<: *a", b"!!binary x", b"\0", b"\xef\xbb\xbf", b'"', b",,,", b"nan", b"1e999"),
    *(
        b"-1",
        b"null",
        b"true",
        b"~",
        b"../../x",
        b"\r",
        b"\n\n",
        b"'",
        b"0x",
        b"1:60:99",
        b"!!int '0b'",
        b"=",
        b"!!set {a}",
    ),
]
"""What parsers stumble over, put into inputs."""

Parser = Callable[[bytes, Path], Any]


def csv(data: bytes, folder: Path) -> None:
    """A CSV of clips."""
    root = _root(data, folder, "clips.csv")
    read_csv(root, Sheet.read(root, "clips.csv"))


def ontology(data: bytes, folder: Path) -> None:
    """An ontology in Audio Set's form."""
    found = parse_ontology("f", read_text(_root(data, folder, "ontology.json"), "ontology.json"))
    for identity in found.labels:
        found.ancestors(identity)


def tfrecord(data: bytes, _: Path) -> None:
    """A file of published embeddings."""
    read_examples(data, "f")


def example(data: bytes, _: Path) -> None:
    """A clip of such a file, behind checksums that are right."""
    read_examples(record(data), "f")


def checkpoint_1(data: bytes, folder: Path) -> None:
    """A TensorFlow checkpoint of version 1."""
    (folder / "model.ckpt").write_bytes(data)
    if index_of(folder / "model.ckpt") is not None:
        read_checkpoint(folder / "model.ckpt")


def checkpoint_2(data: bytes, folder: Path) -> None:
    """The table of a TensorFlow checkpoint of version 2."""
    (folder / "two.data-00000-of-00001").write_bytes(bytes(64))
    (folder / "two.index").write_bytes(data)
    if index_of(folder / "two") is not None:
        read_checkpoint(folder / "two")


def config(data: bytes, folder: Path) -> None:
    """A config file, and an assignment."""
    make_config("quick", assignment("a.b=" + data[:5000].decode("latin-1")) and read_yaml(_put(data, folder, "c.yaml")))


def study(data: bytes, folder: Path) -> None:
    """A file of variants."""
    study_request(_put(data, folder, "study.yaml"), None, {})


def schedules(data: bytes, folder: Path) -> None:
    """A file of recurring runs."""
    read_schedules(_put(data, folder, "schedules.yaml"))


def cluster(data: bytes, folder: Path) -> None:
    """A file of a cluster's profiles."""
    read_cluster(_put(data, folder, "cluster.yaml"))


def package(data: bytes, folder: Path) -> None:
    """The document of a model's package."""
    _put(data, folder, "model.json")
    read_package(folder)


def tensors(data: bytes, folder: Path) -> None:
    """A PCA as safetensors."""
    Pca.load(check_safetensors(_put(data, folder, "pca.safetensors")))


@lru_cache
def seeds() -> dict[Parser, list[bytes]]:
    """Real inputs of each parser."""
    classes = [
        {"id": i, "name": i, "child_ids": [j], "restrictions": []} for i, j in [("/m/a", "/m/b"), ("/m/c", "/m/b")]
    ]
    classes.append({"id": "/m/b", "name": "b", "child_ids": [], "restrictions": ["abstract"]})
    clip = sequence_example("id", 0.0, 10.0, [1, 300], np.arange(256, dtype=np.uint8).reshape(2, 128))
    pca = {"pca_eigen_vectors": np.eye(4, dtype=np.float32), "pca_means": np.zeros(4, np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        variables = {"a/weights": np.ones((2, 3), np.float32), "a/biases": np.ones(3, np.float32), "b": np.ones(1)}
        write_v1(Path(folder) / "one", variables, ["step"])
        write_v2(Path(folder) / "two", variables, ["step"])
        one, two = (Path(folder) / "one").read_bytes(), (Path(folder) / "two.index").read_bytes()
    examples = REPOSITORY / "examples"
    return {
        csv: [(examples / "esc10" / "clips.csv").read_bytes()[:800], b"file,label,start,end\na.wav,x;y,0,1.5\n"],
        ontology: [json.dumps(classes).encode()],
        tfrecord: [record(clip) * 2],
        example: [clip],
        checkpoint_1: [one],
        checkpoint_2: [two],
        config: [b"train:\n  steps: 600\n  learning_rate: 1e-3\ndata: {silence_dbfs: -60, test_folds: [a]}\n"],
        study: [path.read_bytes() for path in sorted((examples / "studies").glob("*.yaml"))],
        schedules: [(examples / "schedules.yaml").read_bytes()],
        cluster: [path.read_bytes() for path in sorted((examples / "clusters").glob("*.yaml"))],
        package: [json.dumps({"package_version": 1, "weights_sha256": "0" * 64, "labels": []}).encode()],
        tensors: [save(pca)],
    }


def mutated(data: bytes, draw: random.Random) -> bytes:
    """An input changed once or more, by bytes or by words."""
    for _ in range(draw.choice([1, 1, 2, 4])):
        if draw.random() < 0.4 or len(data) < 16:
            at = draw.randrange(len(data) + 1)
            data = data[:at] + draw.choice(WORDS) + data[at + draw.choice([0, 0, 1, 8]) :]
        else:
            data = BYTES[draw.choice(MUTATIONS)](data, draw)
    return data


def told(parser: Parser, data: bytes, folder: Path) -> str | None:
    """What a parser says of an input, None where it takes it; any error but those that can be told is raised."""
    try:
        parser(data, folder)
    except EarmarkError as error:
        message = str(error)
        assert message
        assert len(message) < 20_000
        return message
    return None


def _put(data: bytes, folder: Path, name: str) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def _root(data: bytes, folder: Path, name: str) -> DataRoot:
    _put(data, folder, name)
    audio = {key: ObjectInfo(key, 1, "") for key in ("a.wav", "audio/1-100032-A.ogg")}
    return DataRoot(open_store(folder), None, audio, {name: ObjectInfo(name, len(data), "")})


def main() -> int:
    """Try many; 1 if any of them did what it should not."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--count", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()

    def late(_: int, __: FrameType | None) -> None:
        raise AssertionError(f"took more than {MOST_SECONDS} s")

    signal.signal(signal.SIGPROF, late)
    seeds()
    pages = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (pages + (MOST_MIB << 20), resource.RLIM_INFINITY))
    wrong: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for parser, inputs in seeds().items():
            taken = 0
            for number in range(asked.count):
                draw = random.Random(f"{asked.seed} {parser.__name__} {number}")
                data = mutated(draw.choice(inputs), draw)
                signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
                try:
                    taken += told(parser, data, Path(folder)) is None
                except Exception as error:
                    what = f"{parser.__name__}: {type(error).__name__}: {str(error)[:200]}"
                    if not wrong[what]:
                        print(f"{what}\n    {data[:200]!r}", flush=True)
                    wrong[what] += 1
                signal.setitimer(signal.ITIMER_PROF, 0)
            print(f"{parser.__name__}: {asked.count} inputs, {taken} taken, the others refused", flush=True)
    print(f"{wrong.total()} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
