"""The page of a cross-validation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import escape

from earmark.config import Experiment


def render_folds(facts: Mapping[str, Any], tables: Mapping[str, Any] | None, experiment: Experiment) -> str:
    """The whole HTML page."""
    return f"<!doctype html><pre>{escape(json.dumps({**facts, 'tables': tables}, indent=1))}</pre>"
