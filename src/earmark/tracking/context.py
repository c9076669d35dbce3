"""Which pipeline run a step belongs to. It groups things in MLflow and keys nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class RunContext:
    """One pipeline run, as every step of it is told."""

    run: str
    """Earmark's own id of the run, such as ``compare-1f3a9c2e``."""
    pipeline: str
    """The pipeline's name, such as ``compare``."""
    experiment: str = "earmark"
    """The MLflow experiment that holds the run."""
    data: str = ""
    """Digest of the data before it is split, where the run's networks see different splits of it; empty where all see
    one dataset, which then tells the run from one of the same name on other data."""

    def to_json(self) -> str:
        """The document as it travels through a pipeline."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str) -> RunContext:
        """Read what :meth:`to_json` wrote."""
        return RunContext(**json.loads(text))


@dataclass(frozen=True)
class DatasetFacts:
    """What MLflow shows of a dataset."""

    digest: str
    """Digest of clips, labels, splits and features."""
    source: str
    """URI of the sounds."""
    facts: dict[str, int]
    """Counts worth seeing: clips of each split, labels."""
