"""A server tried without its client: whether it answers at all, and what time it has."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from earmark.checking.lines import Line, one_line

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


def reach(url: str, ca_file: str | None = None, verify: bool = True) -> Answer | str:
    """A server's answer to a GET without credentials, whatever it is; or why there is none."""
    import urllib3

    pool = urllib3.PoolManager(
        timeout=TIMEOUT_SECONDS,
        retries=False,
        ca_certs=ca_file or os.environ.get("SSL_CERT_FILE"),
        cert_reqs="CERT_REQUIRED" if verify else "CERT_NONE",
    )
    sent, began = datetime.now(UTC), time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            answer = pool.request("GET", url, redirect=False)
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        return _reason(error)
    seconds = time.monotonic() - began
    text = answer.data[:2000].decode(errors="replace")
    return Answer(answer.status, text, seconds, skew(answer.headers.get("Date"), sent, seconds))


def away(part: str, url: str, reason: str, variable: str, ca_variable: str) -> Line:
    """The line about a server that does not answer; where its certificate is the reason, the user can mend that."""
    if "certificate" in reason.lower() or "ssl" in reason.lower():
        hint = f"set {ca_variable} to the file of the CA that signed it, or correct http:// or https:// in {variable}"
        return Line("bad", part, f"{url} cannot be trusted ({reason})", hint)
    hint = f"start it, or correct {variable}; a proxy or firewall between is the other cause"
    return Line("bad", part, f"{url} does not answer ({reason})", hint, mendable=False)


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


def skew(date: str | None, sent: datetime, seconds: float) -> float | None:
    """Seconds that a server is ahead, from its answer's ``Date``; it wrote that about halfway."""
    try:
        return (parsedate_to_datetime(date or "") - sent).total_seconds() - seconds / 2
    except (ValueError, TypeError):
        return None


def _reason(error: Exception) -> str:
    """The last part of an error that wraps others: ``Connection refused``."""
    text = one_line(error)
    return text.rpartition("]")[2].strip(" )'\"") or text if "[Errno" in text else text
