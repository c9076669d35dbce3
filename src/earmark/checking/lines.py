"""Checks run side by side, each within its time; what they found, as lines without secrets."""

from __future__ import annotations

import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from earmark.environment import changed_environment
from earmark.errors import EarmarkError, UserError

LIMIT_SECONDS = 20.0
"""What a check may take before it counts as hanging; they run side by side."""
HURRY = {"EARMARK_S3_DEADLINE": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
"""What a step waits for patiently is told at once where it is only tried."""
MARKS = {"ok": "✓", "note": "!", "bad": "✗"}
SECRET = re.compile(r"SECRET|PASSWORD|TOKEN|WEBHOOK")
"""What the names of environment variables with secrets have in them."""
USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Line:
    """One thing that was tried."""

    mark: Literal["ok", "note", "bad"]
    part: str
    """``store``, ``mlflow``, ``versions``, ``machine``."""
    what: str
    remedy: str = ""
    """What to do, where it is not well."""
    mendable: bool = True
    """Whether it is in the user's hand: a wrong key is, a server that is away is not."""


Check = Callable[[], Iterator[Line]]


def run_checks(checks: Mapping[str, Check], limit: float = LIMIT_SECONDS) -> list[Line]:
    """The lines of all checks, in their order; secrets of the environment are blotted out.

    A check that raises or does not end within ``limit`` seconds keeps the lines that it came to, and gets one more.
    """
    until = time.monotonic() + limit
    with changed_environment(**HURRY):
        started = [(part, _start(check)) for part, check in checks.items()]
        return [
            replace(line, what=without_secrets(line.what), remedy=without_secrets(line.remedy))
            for part, found in started
            for line in _lines(part, found, until, limit)
        ]


def exit_code(lines: list[Line]) -> int:
    """0 if nothing is bad, 2 if the user can mend something that is, else 1."""
    bad = [line for line in lines if line.mark == "bad"]
    return 0 if not bad else UserError.exit_code if any(line.mendable for line in bad) else EarmarkError.exit_code


def written(line: Line) -> str:
    """A line as people read it."""
    remedy = f": {line.remedy}" if line.remedy else ""
    return f"{MARKS[line.mark]} {line.part:<8}  {line.what}{remedy}"


def _start(check: Check) -> queue.SimpleQueue[Line | Exception | None]:
    found: queue.SimpleQueue[Line | Exception | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            for line in check():
                found.put(line)
            found.put(None)
        except Exception as error:
            found.put(error)

    # A daemon: a check that hangs does not hold up the end of the command.
    threading.Thread(target=work, daemon=True).start()
    return found


def _lines(part: str, found: queue.SimpleQueue[Line | Exception | None], until: float, limit: float) -> Iterator[Line]:
    while True:
        try:
            line = found.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            hint = "see whether a server or disk hangs, and check again"
            yield Line("bad", part, f"not checked to the end within {limit:g} s", hint, mendable=False)
            return
        if line is None:
            return
        if isinstance(line, Exception):
            yield Line("bad", part, one_line(line), mendable=isinstance(line, UserError))
            return
        yield line


def one_line(error: BaseException) -> str:
    """An error's text in a line of at most 400 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else text[:397] + "..."


def without_secrets(text: str) -> str:
    """A text in which the environment's secrets, and users in addresses, are blotted out."""
    values = [v for name, v in os.environ.items() if SECRET.search(name) and len(v) >= 6 and not name.endswith("_FILE")]
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "•••")
    return USER_IN_URL.sub("•••@", text)
