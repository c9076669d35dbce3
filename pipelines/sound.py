"""What the commands on sound do, once their arguments are read: ``tag``, ``embed``, ``similar``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
import typer

from earmark.errors import EarmarkError, UserError, unknown_name
from earmark.features import DecodeError
from earmark.pipelines.fetching import fetch_model
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import Terminal, print_json, print_table

if TYPE_CHECKING:
    from earmark.embeddings import Embedded
    from earmark.evaluation import Model
    from earmark.features import SoundBlocks
    from earmark.features.isolated import Workers
    from earmark.tagging import Choice, SoundFile, Writer

TIMELINE_HOP = 0.96
RAW_RATES = range(1_000, 768_001)


def enter(work: str) -> None:
    """Let this process and its children find store and MLflow."""
    os.environ.update(open_place(work).environment())
    os.environ["EARMARK_PROGRESS"] = "off"
    # See components/adapter.py: OpenMP's threads would spin.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def tag(
    arguments: Sequence[str],
    model: str,
    choice: Choice,
    form: str,
    output: Path | None,
    timeline_hop: float | None,
    raw: str | None,
    work: str,
) -> None:
    """``earmark tag``: every file in turn; those that cannot be read are named and passed over."""
    from earmark.tagging import FORMATS, STDIN, find_sounds, fold_norms, open_writer

    if raw is not None and list(arguments) != [STDIN]:
        raise UserError("--raw tells what standard input holds: give - and no file")
    if raw is not None:
        raw_kind(raw)
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    files = find_sounds(arguments)
    if form == "audacity" and len(files) > 1:
        raise UserError(f"a label track is of one file, not of {len(files)}: tag them one by one")
    if form == "audacity" and timeline_hop is None:
        timeline_hop = TIMELINE_HOP
    enter(work)
    fetched = fetch_model(model)
    fold_norms(fetched.model.network)
    failed: list[str] = []
    with _output(output) as stream, _ended_in_peace(), _decoding(files) as workers:
        writer = open_writer(form, stream, choice, fetched.title)
        meter = Meter("tag", files)
        for file in meter.each():
            try:
                with _sound_of(file, raw, workers) as sound:
                    _write(writer, file, fetched.model, sound, choice, timeline_hop, raw is not None, meter)
            except DecodeError as error:
                _skip(file, error, failed)
    _tell(failed, files, "tagged")


def _skip(file: SoundFile, error: DecodeError, failed: list[str]) -> None:
    failed.append(file.name)
    print(f"earmark: {file.name}: {error}; skipped", file=sys.stderr, flush=True)


def _tell(failed: Sequence[str], files: Sequence[SoundFile], what: str) -> None:
    if failed:
        raise EarmarkError(f"{len(failed)} of {len(files)} files could not be {what}; the others are done")


def _write(
    writer: Writer,
    file: SoundFile,
    network: Model,
    sound: SoundBlocks,
    choice: Choice,
    hop: float | None,
    live: bool,
    meter: Meter,
) -> None:
    from earmark.tagging import tag_sound

    for span in tag_sound(network, sound, hop, choice.threshold, live, watch=meter.seconds):
        writer.write(file.name, span)


def embed(
    arguments: Sequence[str], model: str, to: Path, form: str, pca: bool, bits: int, fit_pca: bool, work: str
) -> None:
    """``earmark embed``: a folder of embeddings, whole or not there."""
    from earmark.tagging import find_sounds

    if bits not in (8, 32):
        raise UserError(f"--bits {bits}: give 32 (float32) or 8")
    kind = "uint8" if bits == 8 or form == "tfrecord" else "whitened" if pca or fit_pca else "raw"
    files = find_sounds(arguments)
    enter(work)
    from earmark.embeddings import About, Pca, new_folder
    from earmark.evaluation import model_of
    from earmark.registry import fetch_package

    package = fetch_package(model)
    network = model_of(package.weights.read_bytes(), package.document)
    reference = package.title if package.version else str(package.folder.absolute())
    about = About(reference, package.document["weights_sha256"], kind, form)
    whitening = package.pca() if kind != "raw" and not fit_pca else None
    if kind != "raw" and not fit_pca and whitening is None:
        raise UserError(f"model {package.title} has no PCA of its training clips: fit one on these sounds by --fit-pca")
    failed: list[str] = []
    with _ended_in_peace(), _decoding(files) as workers:
        embedded = _embedded(files, network, failed, workers)
        if fit_pca:
            kept = list(embedded)
            whitening = Pca.fit(np.concatenate([found.patches_PE for _, found in kept])) if kept else None
            embedded = iter(kept)
        with new_folder(to, about, whitening) as folder:
            for name, found in embedded:
                folder.add(name, found)
    print(f"{len(files) - len(failed)} clips in {to}")
    _tell(failed, files, "embedded")


def _embedded(
    files: Sequence[SoundFile], network: Model, failed: list[str], workers: Workers | None
) -> Iterator[tuple[str, Embedded]]:
    from earmark.embeddings import embed_sound

    meter = Meter("embed", files)
    for file in meter.each():
        try:
            with _sound_of(file, None, workers) as sound:
                found = embed_sound(network, sound)
        except DecodeError as error:
            _skip(file, error, failed)
            continue
        meter.seconds(found.seconds)
        yield file.name, found


def similar(file: str, embeddings: Path, top: int, model: str | None, json: bool, work: str) -> None:
    """``earmark similar``: the clips whose embeddings are nearest."""
    from earmark.embeddings import embed_sound, floats_of, nearest, read_folder, values_of
    from earmark.tagging import SoundFile

    opened = read_folder(embeddings)
    enter(work)
    from earmark.evaluation import model_of
    from earmark.registry import fetch_package

    package = fetch_package(model or opened.about.model)
    if package.document["weights_sha256"] != opened.about.weights_sha256:
        raise UserError(f"{embeddings} was made by model {opened.about.model}, not by {package.title}: name that one")
    network = model_of(package.weights.read_bytes(), package.document)
    with _sound_of(SoundFile(file, Path(file).expanduser()), None, None) as sound:
        try:
            query_E = embed_sound(network, sound).clip_E
        except DecodeError as error:
            raise UserError(f"{file}: {error}") from None
    query_K = floats_of(values_of(query_E[None], opened.about.kind, opened.pca))[0]
    found = [(opened.files[row], cosine) for row, cosine in nearest(opened.clips_NK, query_K, top)]
    if json:
        print_json([{"file": name, "similarity": round(cosine, 6)} for name, cosine in found])
        return
    rows = [[name, f"{cosine:.3f}"] for name, cosine in found]
    print_table(f"nearest of {len(opened.files)} clips to {file}", ("file", "cosine"), rows)


@contextmanager
def _decoding(files: Sequence[SoundFile]) -> Iterator[Workers | None]:
    """Of several files none may take the others with it: they are decoded by another process."""
    if len(files) < 2:
        yield None
        return
    from earmark.features.isolated import Workers

    with Workers(1, frames=False) as workers:
        yield workers


@contextmanager
def _sound_of(file: SoundFile, raw: str | None, workers: Workers | None) -> Iterator[SoundBlocks]:
    """A file's sound, or that of standard input: a file's bytes, or bare samples."""
    from earmark.features import open_blocks, raw_blocks
    from earmark.tagging import STDIN, spooled

    open_blocks = open_blocks if workers is None else workers.open_blocks
    if file.name != STDIN:
        yield open_blocks(file.path)
    elif raw is not None:
        yield raw_blocks(sys.stdin.buffer, *raw_kind(raw))
    else:
        with spooled(sys.stdin.buffer) as path:
            yield open_blocks(path)


def raw_kind(text: str) -> tuple[int, int, str]:
    """Rate, channels and sample type of ``RATE[,CHANNELS][,s16|f32]``.

    Raises:
        UserError: anything else.
    """
    rate, *rest = text.split(",")
    kind = rest.pop() if rest and rest[-1] in ("s16", "f32") else "s16"
    channels = rest.pop() if rest else "1"
    if rest or not rate.isdecimal() or int(rate) not in RAW_RATES or not channels.isdecimal() or not int(channels):
        raise UserError(f"--raw {text!r}: give RATE, or RATE,CHANNELS, then s16 or f32, as in 48000,2,s16")
    return int(rate), int(channels), kind


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Where results go: a file, or standard output."""
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place with --output") from None
    with file:
        yield file


@contextmanager
def _ended_in_peace() -> Iterator[None]:
    """Ctrl-C ends with 130; a reader that has enough (``| head``) ends it without a word."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped; what was written is whole", file=sys.stderr)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        raise UserError(f"cannot write the results: {error.strerror}") from None


class Meter:
    """Tells on standard error how far long work has come: files, and seconds of sound a second.

    Silent where standard output is the same terminal: there the results are the progress.
    """

    def __init__(self, step: str, files: Sequence[SoundFile]) -> None:
        self._step, self._files = step, files
        self._started = time.monotonic()
        self._done = 0
        self._before = self._now = 0.0
        self._terminal = None if sys.stdout.isatty() and sys.stderr.isatty() else Terminal()

    def each(self) -> Iterator[SoundFile]:
        """The files, one after another."""
        try:
            for file in self._files:
                yield file
                self._done += 1
                self._before, self._now = self._before + self._now, 0.0
        finally:
            if self._terminal is not None:
                self._terminal.close()

    def seconds(self, now: float) -> None:
        """So many seconds of the current file's sound are done."""
        self._now = now
        if self._terminal is None:
            return
        elapsed = max(time.monotonic() - self._started, 1e-9)
        sound = self._before + now
        facts = {"sound_s": round(sound), "x_real_time": sound / elapsed}
        event = {"earmark": "progress", "done": self._done, "total": len(self._files), "unit": "files", "facts": facts}
        self._terminal.event({**event, "step": self._step})
