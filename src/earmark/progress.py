"""Progress of long work: a JSON line for a program that watches, a plain line with rate and ETA for a pod's log."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TextIO

JSON_EVERY_SECONDS = 0.2
PLAIN_EVERY_SECONDS = 5.0


class Progress:
    """Tells how far a step has come. ``EARMARK_PROGRESS`` chooses ``json``, ``plain`` (default) or ``off``."""

    def __init__(self, step: str, mode: str | None = None, stream: TextIO | None = None) -> None:
        self.step = step
        self.mode = mode or os.environ.get("EARMARK_PROGRESS", "plain")
        self._stream = stream or sys.stdout
        self._started = time.monotonic()
        self._last = -1e9
        self._first_done: int | None = None

    def update(self, done: int, total: int, unit: str, **facts: float | str) -> None:
        """Say that ``done`` of ``total`` units are ready; ``facts`` (loss, patches/s …) go with it."""
        now = time.monotonic()
        every = JSON_EVERY_SECONDS if self.mode == "json" else PLAIN_EVERY_SECONDS
        if self._first_done is None:
            self._first_done, self._started = done, now
        if self.mode == "off" or (now - self._last < every and done < total):
            return
        self._last = now
        rate = (done - self._first_done) / (now - self._started) if now > self._started else 0.0
        eta = (total - done) / rate if rate > 0 else None
        if self.mode == "json":
            self._emit("progress", done=done, total=total, unit=unit, rate=rate, eta_seconds=eta, facts=facts)
            return
        told = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in facts.items())
        left = f", {eta:.0f} s left" if eta else ""
        self._line(f"{self.step}: {done}/{total} {unit}, {rate:.1f} {unit}/s{left} {told}".rstrip())

    def note(self, message: str) -> None:
        """Say one thing worth reading (a step skipped, a choice made, a warning)."""
        if self.mode == "json":
            self._emit("note", message=message)
        elif self.mode == "plain":
            self._line(f"{self.step}: {message}")

    def event(self, event: str, **facts: object) -> None:
        """A machine-readable event (``started``, ``done``, ``error``); a plain line elsewhere."""
        if self.mode == "json":
            self._emit(event, **facts)
        elif self.mode == "plain":
            told = " ".join(f"{k}={v}" for k, v in facts.items())
            self._line(f"{self.step}: {event} {told}".rstrip())

    def _emit(self, event: str, **facts: object) -> None:
        self._line(json.dumps({"earmark": event, "step": self.step, **facts}, separators=(",", ":")))

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()
