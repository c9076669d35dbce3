"""What goes wrong with Kubeflow's API, in words."""

from __future__ import annotations

import json

from earmark.checking.lines import one_line
from earmark.errors import EarmarkError, UserError
from earmark.store.access import key_from_environment


def away(endpoint: str, error: Exception) -> EarmarkError:
    """The error about a back end that does not answer, or whose certificate is not trusted."""
    text = one_line(error)
    if "certificate" in text.lower() or "ssl" in text.lower():
        return UserError(
            f"{endpoint} cannot be trusted ({text}): set KFP_CA_FILE to the CA that signed it, or correct http:// or "
            "https:// in KFP_ENDPOINT"
        )
    return EarmarkError(
        f"{endpoint} does not answer ({text}): see that the port-forward or the server runs, or correct KFP_ENDPOINT"
    )


def refused(endpoint: str, status: int, body: str) -> EarmarkError:
    """The error about an answer that is a refusal or a failure, with who can mend it."""
    told = _message(body)
    if status in (401, 403):
        has = "the token of KFP_TOKEN or KFP_TOKEN_FILE has expired or may not do this: make a new one"
        hint = has if key_from_environment("KFP_TOKEN") else "set KFP_TOKEN or KFP_TOKEN_FILE"
        return UserError(f"{endpoint} refuses the request ({status}: {told}): {hint} (kubectl create token …)")
    if status == 0:
        return away(endpoint, Exception(told))
    if 400 <= status < 500:
        return UserError(f"Kubeflow Pipelines refuses this ({status}): {told}")
    return EarmarkError(f"Kubeflow Pipelines fails at {endpoint} ({status}): {told}; see the log of ml-pipeline")


def _message(body: str) -> str:
    """The reason in an answer of the API, or the beginning of any other text."""
    try:
        told = json.loads(body)
        text = told.get("message") or told.get("error") or body
    except (ValueError, AttributeError):
        text = body
    return one_line(Exception(str(text)[:300]))
