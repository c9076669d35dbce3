"""How an object store is reached: endpoint, region, keys and CA from the environment; what goes wrong, in words.

The SDK's client is made once a process (its connections are not to be shared over a fork) and never tries again by
itself: :func:`persist` does, for as long as a call may take in all.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from earmark.errors import EarmarkError, UserError

if TYPE_CHECKING:
    from minio import Minio

T = TypeVar("T")

DEADLINE_SECONDS = 120.0
"""How long one call may take in all, tries and pauses together, unless ``EARMARK_S3_DEADLINE`` says otherwise."""
SLOWEST_BYTES_A_SECOND = 1_000_000
"""What is to be moved adds to a call's deadline at this rate."""
CONNECT_SECONDS, SILENT_SECONDS = 5.0, 30.0
"""How long a connection may take to stand, and how long the server may say nothing."""
TRANSFERS = 16
"""Requests in flight at once."""

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
BAD_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"})
BAD_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired", "AccessDenied.RequestTimeTooSkewed"})
PASSING = frozenset({"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted"})


@dataclass(frozen=True)
class Endpoint:
    """Where an object store answers, from the environment."""

    url: str
    region: str
    ca_file: str | None
    deadline_seconds: float

    @staticmethod
    def from_environment() -> Endpoint:
        """What ``EARMARK_S3_ENDPOINT``, ``…_REGION``, ``…_CA_FILE`` and ``…_DEADLINE`` (seconds) say.

        Raises:
            UserError: no endpoint, or one of these cannot be used.
        """
        url = os.environ.get("EARMARK_S3_ENDPOINT", "").rstrip("/")
        if not url:
            raise UserError("s3:// needs an endpoint: set EARMARK_S3_ENDPOINT, as in https://s3.example.org:9000")
        parts = urlsplit(url)
        if parts.username is not None:
            raise UserError("EARMARK_S3_ENDPOINT holds a user: give the address alone, and keys in AWS_ACCESS_KEY_ID …")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
            raise UserError(f"EARMARK_S3_ENDPOINT is {url}: give http:// or https://, the host and the port alone")
        ca_file = os.environ.get("EARMARK_S3_CA_FILE") or None
        if ca_file is not None and not Path(ca_file).is_file():
            raise UserError(f"EARMARK_S3_CA_FILE is {ca_file}, which is not there: give the file with the CA's PEM")
        text = os.environ.get("EARMARK_S3_DEADLINE") or str(DEADLINE_SECONDS)
        try:
            deadline = float(text)
        except ValueError:
            deadline = 0.0
        if not deadline > 0:
            raise UserError(f"EARMARK_S3_DEADLINE is {text!r}: give the seconds that a call may take, as in 120")
        return Endpoint(url, os.environ.get("EARMARK_S3_REGION") or "us-east-1", ca_file, deadline)

    def until(self, size: int = 0) -> float:
        """The deadline, on the monotonic clock, of a call that begins now and moves so many bytes."""
        return time.monotonic() + self.deadline_seconds + size / SLOWEST_BYTES_A_SECOND

    def client(self) -> Minio:
        """The SDK's client, one a process."""
        return _client(self, os.getpid())


def key_from_environment(name: str) -> str | None:
    """A key's value, or what is in the file that ``NAME_FILE`` names (a mounted secret), read anew each time.

    Raises:
        UserError: the file cannot be read.
    """
    file = os.environ.get(f"{name}_FILE")
    if not file:
        return os.environ.get(name) or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"{name}_FILE is {file}, which cannot be read ({error.strerror}): mount the secret") from error


@lru_cache
def _client(endpoint: Endpoint, _process: int) -> Minio:
    import minio
    import urllib3
    from minio.credentials.credentials import Credentials
    from minio.credentials.providers import Provider

    class Environment(Provider):
        """Keys as the environment has them now: a mounted secret may be replaced while a training runs."""

        def retrieve(self) -> Credentials:
            access, secret, token = (key_from_environment(name) for name in KEYS)
            if not access or not secret:
                raise UserError(
                    f"no key for {endpoint.url}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the same names "
                    "with _FILE for files that hold them"
                )
            return Credentials(access, secret, token)

    parts = urlsplit(endpoint.url)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=min(SILENT_SECONDS, endpoint.deadline_seconds)),
        retries=False,
        maxsize=2 * TRANSFERS,
        ca_certs=endpoint.ca_file or os.environ.get("SSL_CERT_FILE"),
    )
    secure = parts.scheme == "https"
    return minio.Minio(parts.netloc, credentials=Environment(), secure=secure, region=endpoint.region, http_client=pool)


def persist(endpoint: Endpoint, place: str, work: Callable[[], T], until: float) -> T:
    """What ``work`` gives; tried again while the server is away or in trouble, until the call's deadline.

    Args:
        endpoint: for messages.
        place: what is being read or written, for messages.
        work: asks the server; may be called several times.
        until: the deadline, see :meth:`Endpoint.until`.

    Raises:
        UserError: wrong keys, no right, no such bucket, a wrong clock, a certificate that is not trusted.
        EarmarkError: the server was away or in trouble up to the deadline.
    """
    from minio.error import S3Error
    from urllib3.exceptions import SSLError

    began, pause = time.monotonic(), 0.1
    while True:
        try:
            return work()
        except SSLError as error:
            raise UserError(
                f"{endpoint.url} cannot be trusted ({error}): set EARMARK_S3_CA_FILE to the CA that signed it, or give "
                "the scheme that it speaks, http:// or https://"
            ) from error
        except S3Error as error:
            if error.code not in PASSING and error.response.status < 500:
                raise explained(error, endpoint, place) from error
            cause: Exception = error
        except passing_errors() as error:
            cause = error
        if time.monotonic() + pause >= until:
            raise EarmarkError(
                f"{place}: no answer from {endpoint.url} in {time.monotonic() - began:.0f} s ({_short(cause)}): see "
                "that the object store runs and that EARMARK_S3_ENDPOINT is right, then run the same command again"
            ) from cause
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, 5.0)


def passing_errors() -> tuple[type[Exception], ...]:
    """What is raised where the server is away or in trouble, and may be well again soon."""
    from minio.error import InvalidResponseError, ServerError
    from urllib3.exceptions import HTTPError

    return HTTPError, ServerError, InvalidResponseError, ConnectionError, TimeoutError


def explained(error: Exception, endpoint: Endpoint, place: str) -> Exception:
    """A refusal in words, with its remedy; the error itself where a caller is to judge it."""
    code = getattr(error, "code", None)
    if code in BAD_KEYS:
        return UserError(
            f"{endpoint.url} refuses the key {key_from_environment(KEYS[0])} ({code}): check AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    if code == "AccessDenied":
        return UserError(
            f"{place}: the key {key_from_environment(KEYS[0])} has no right to this at {endpoint.url} (a bucket that "
            "is not there is refused in the same way): give its identity the right, or use the keys of another"
        )
    if code == "NoSuchBucket":
        return UserError(
            f"{place}: there is no such bucket at {endpoint.url}: make it, or correct its name (EARMARK_STORE, --data)"
        )
    if code in BAD_CLOCK:
        return UserError(
            f"{endpoint.url} refuses requests since its clock and this machine's differ ({code}): set both by NTP"
        )
    return error


def _short(error: Exception) -> str:
    text = " ".join(str(getattr(error, "message", None) or error).split())
    return f"{type(error).__name__}: {text}"[:200]
