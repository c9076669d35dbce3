"""A message posted to a webhook. Its address is a secret: it is in no message and no error."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from earmark.errors import EarmarkError, UserError

WEBHOOK = "EARMARK_WEBHOOK_URL"
TRIES, PAUSE_SECONDS, TIMEOUT_SECONDS = 3, 0.5, 5.0
REFUSED = range(400, 500)
TOO_MANY = 429


def post(message: Mapping[str, Any]) -> bool:
    """Post JSON to the webhook that ``EARMARK_WEBHOOK_URL`` names; False where it names none.

    Raises:
        UserError: it refuses the message, or the address is none.
        EarmarkError: it does not answer, or fails, three times.
    """
    url = os.environ.get(WEBHOOK, "").strip()
    if not url:
        return False
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{WEBHOOK} is no address: give one that begins with https://")
    # Not by urllib3's own retries: it would log the address, which is the secret, at each one.
    for tried in range(1, TRIES + 1):
        status, why = _post(url, json.dumps(message).encode())
        if 200 <= status < 300:
            return True
        if status in REFUSED and status != TOO_MANY:
            raise UserError(f"the webhook refuses the message ({why}): check {WEBHOOK}, or make a new one")
        if tried < TRIES:
            time.sleep(PAUSE_SECONDS * tried)
    raise EarmarkError(f"the webhook took no message in {TRIES} tries ({why}): check {WEBHOOK} and the way there")


def _post(url: str, body: bytes) -> tuple[int, str]:
    """Status (0 where none came) and what it means, without the address."""
    import urllib3

    pool = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False, ca_certs=os.environ.get("SSL_CERT_FILE"))
    headers = {"Content-Type": "application/json", "User-Agent": "earmark"}
    try:
        answer = pool.request("POST", url, body=body, headers=headers, redirect=False)
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # An error's text may hold the address, and the address the secret.
        return 0, type(error).__name__
    return answer.status, f"status {answer.status}"
