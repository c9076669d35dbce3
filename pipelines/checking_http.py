"""A server tried without its client: whether it answers at all, and what time it has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from earmark.pipelines.checking import Line, one_line

TIMEOUT_SECONDS = 5.0
SKEW_SECONDS, FATAL_SKEW_SECONDS = 60.0, 900.0
"""S3 refuses signatures from 15 minutes on."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    text: str
    seconds: float
    skew: float | None
    """Seconds that the server's clock is ahead of ours; None where it does not tell its time."""


def reach(url: str) -> Answer | str:
    """A server's answer to a GET without credentials, whatever it is; or why there is none."""
    import urllib3

    certificates = _certificates()
    pool = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False, ca_certs=certificates)
    sent, began = datetime.now(UTC), time.monotonic()
    try:
        answer = pool.request("GET", url, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        return one_line(error)
    seconds = time.monotonic() - began
    return Answer(
        answer.status, answer.data[:2000].decode(errors="replace"), seconds, _skew(answer.headers, sent, seconds)
    )


def clock_line(part: str, answer: Answer) -> Line:
    """The server's clock against ours; its header tells whole seconds."""
    if answer.skew is None:
        return Line("note", part, "the server does not tell its time: clocks are not compared")
    ahead = "ahead of" if answer.skew > 0 else "behind"
    if abs(answer.skew) < SKEW_SECONDS:
        return Line("ok", part, "its clock and ours agree within a minute")
    mark: Literal["bad", "note"] = "bad" if abs(answer.skew) >= FATAL_SKEW_SECONDS else "note"
    hint = "set both by NTP: S3 refuses requests that are signed 15 minutes off"
    return Line(mark, part, f"its clock is {abs(answer.skew):.0f} s {ahead} ours", hint)


def _skew(headers: object, sent: datetime, seconds: float) -> float | None:
    try:
        theirs = parsedate_to_datetime(headers.get("Date", ""))  # type: ignore[attr-defined]
        return (theirs - sent).total_seconds() - seconds / 2
    except (ValueError, TypeError):
        return None


def _certificates() -> str | None:
    import os

    return os.environ.get("EARMARK_S3_CA") or os.environ.get("SSL_CERT_FILE") or None
