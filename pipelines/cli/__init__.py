"""The command ``earmark``. Each command imports what it needs when it runs: ``--help`` answers at once."""

from __future__ import annotations

import sys

from earmark.errors import EarmarkError
from earmark.pipelines.cli import cluster, data, look, models, plan, run, schedule, sound, upkeep  # noqa: F401  (adding commands)
from earmark.pipelines.cli.app import app


def main() -> None:
    """Run the command; errors people can cause end it with one line."""
    try:
        app()
    except EarmarkError as error:
        print(f"earmark: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
