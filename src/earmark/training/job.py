"""What the supervisor hands to a worker, and what the worker says at its end, as JSON files."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from earmark.config import Config, parse_config
from earmark.errors import EarmarkError, UserError
from earmark.store import Manifest
from earmark.tracking import RunContext


@dataclass(frozen=True)
class Job:
    """One training, wholly described."""

    store: str
    dataset: Manifest
    patches: Manifest
    variant: str
    config: Config
    key: str
    run: RunContext
    outcome: Path
    """Where the worker writes its :class:`Outcome`."""
    processes: int = 1
    """How many workers train together."""

    def write(self, path: Path) -> None:
        """Write the job for :meth:`read`."""
        document = {
            "store": self.store,
            "dataset": self.dataset.to_json(),
            "patches": self.patches.to_json(),
            "variant": self.variant,
            "config": self.config.model_dump(),
            "key": self.key,
            "run": self.run.to_json(),
            "outcome": str(self.outcome),
            "processes": self.processes,
            "supervisor": os.getpid(),
        }
        path.write_text(json.dumps(document))

    @staticmethod
    def read(path: Path) -> tuple[Job, int]:
        """A job and the process id of its supervisor."""
        document = json.loads(path.read_text())
        job = Job(
            store=document["store"],
            dataset=Manifest.from_json(document["dataset"]),
            patches=Manifest.from_json(document["patches"]),
            variant=document["variant"],
            config=parse_config(document["config"]),
            key=document["key"],
            run=RunContext.from_json(document["run"]),
            outcome=Path(document["outcome"]),
            processes=document["processes"],
        )
        return job, document["supervisor"]


@dataclass(frozen=True)
class Outcome:
    """How a worker ended."""

    status: Literal["done", "stopped", "failed"]
    cause: str = ""
    """Why it failed, in a line."""
    exit_code: int = 1
    """2 for what the user can mend."""
    digest: str = ""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The result's files: object, size and sha256 by name."""
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write it whole or not at all; of several workers' outcomes the first stays."""
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self), allow_nan=False))
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()

    @staticmethod
    def read(path: Path) -> Outcome | None:
        """What a worker wrote, None if it did not come to that."""
        return Outcome(**json.loads(path.read_text())) if path.exists() else None

    def error(self) -> EarmarkError:
        """The worker's failure as an error of this process."""
        return UserError(self.cause) if self.exit_code == UserError.exit_code else EarmarkError(self.cause)
