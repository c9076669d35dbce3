"""What the commands on sound do, once their arguments are read: ``tag``, ``embed``, ``similar``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from earmark.errors import EarmarkError, UserError
from earmark.pipelines.fetching import fetch_model
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import Terminal

if TYPE_CHECKING:
    from earmark.evaluation import Model
    from earmark.features import SoundBlocks
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
    from earmark.features import DecodeError
    from earmark.tagging import STDIN, find_sounds, open_writer

    if raw is not None and list(arguments) != [STDIN]:
        raise UserError("--raw tells what standard input holds: give - and no file")
    files = find_sounds(arguments)
    if form == "audacity" and len(files) > 1:
        raise UserError(f"a label track is of one file, not of {len(files)}: tag them one by one")
    if form == "audacity" and timeline_hop is None:
        timeline_hop = TIMELINE_HOP
    enter(work)
    fetched = fetch_model(model)
    with _output(output) as stream, _ended_in_peace() as failed:
        writer = open_writer(form, stream, choice, fetched.title)
        meter = Meter("tag", files)
        for file in meter.each():
            try:
                with _sound_of(file, raw) as sound:
                    _write(writer, file, fetched.model, sound, choice, timeline_hop, raw is not None, meter)
            except DecodeError as error:
                failed.append(file.name)
                print(f"earmark: {file.name}: {error}; skipped", file=sys.stderr, flush=True)
    if failed:
        raise EarmarkError(f"{len(failed)} of {len(files)} files could not be tagged; the others are done")


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


@contextmanager
def _sound_of(file: SoundFile, raw: str | None) -> Iterator[SoundBlocks]:
    """A file's sound, or that of standard input: a file's bytes, or bare samples."""
    from earmark.features import open_blocks, raw_blocks
    from earmark.tagging import STDIN, spooled

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
def _output(path: Path | None) -> Iterator[IO[str]]:
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
def _ended_in_peace() -> Iterator[list[str]]:
    """Ctrl-C ends with 130; a reader that has enough (``| head``) ends it without a word."""
    try:
        yield []
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
