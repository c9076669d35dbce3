"""What every component does around its one library call: store, progress, artifacts in and out, errors told."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from earmark.config import Config, Experiment
from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.store import Manifest, Store, load, open_store
from earmark.tracking import RunContext

# OpenMP's threads spin, for ever by default, while they wait for each other. Beside other work on the same cores that
# made training ten times slower; spinning for some microseconds and sleeping then is as fast on idle cores. Read when
# torch is loaded, here or in a child.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


class Artifact(Protocol):
    """A KFP artifact as far as a step needs it."""

    path: str
    metadata: dict[str, Any]


class VariantFailed(EarmarkError):
    """An earlier step of the same variant failed; its cause and exit code are passed on."""

    def __init__(self, failed: Manifest) -> None:
        super().__init__(failed.failed)
        self.exit_code = int(failed.facts["exit_code"])


class Step:
    """One execution of a step: its store, its progress, its experiment."""

    def __init__(self, name: str, run: str, variant: str | None) -> None:
        self.name, self.run, self.variant = name, run, variant
        self.progress = Progress(f"{name}/{variant}" if variant else name)
        self.store: Store = open_store()
        self._started = time.monotonic()

    def read(self, artifact: Artifact) -> Manifest:
        """The manifest that an earlier step handed on, with all that it names in its place.

        Raises:
            VariantFailed: the earlier step left a cause of failure instead of a result.
        """
        manifest = load(artifact.path)
        if manifest.failed is not None:
            raise VariantFailed(manifest)
        return manifest.check(self.store)

    def config(self, experiment: str) -> Config:
        """The config of this step's variant, or of the experiment's base."""
        parsed = Experiment.from_json(experiment)
        return parsed.variant(self.variant) if self.variant else parsed.base

    def context(self, experiment: str, dataset: Manifest) -> RunContext:
        """This run, as MLflow is told of it; its id begins with the name of its pipeline."""
        data = "" if Experiment.from_json(experiment).one_dataset else dataset.facts["catalog"]
        return RunContext(self.run, self.run.partition("-")[0], data=data)

    def write(self, artifact: Artifact, manifest: Manifest) -> None:
        """Hand a manifest on, and record it under the run, where reports and watchers look."""
        path = Path(artifact.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest.to_json())
        artifact.metadata.update({"key": manifest.key, "digest": manifest.digest})
        name = f"{self.name}.{self.variant}" if self.variant else self.name
        self.store.put(f"runs/{self.run}/{name}.json", manifest.to_json().encode())
        seconds = round(time.monotonic() - self._started, 3)
        self.progress.event("done", seconds=seconds, reused=manifest.reused, failed=manifest.failed)


@contextmanager
def step(name: str, run: str, variant: str | None = None, failure: Artifact | None = None) -> Iterator[Step]:
    """Run the body of a component.

    An error is told as one event and ends the process with the error's exit code. Where ``failure`` is given, the
    cause is written there instead and the process ends well, so that one variant's failure leaves the others alone.
    """
    progress = Progress(f"{name}/{variant}" if variant else name)
    progress.event("started")
    cause, exit_code = "", 1
    current: Step | None = None
    try:
        current = Step(name, run, variant)
        yield current
        return
    except EarmarkError as error:
        cause, exit_code = str(error), error.exit_code
    except Exception as error:
        traceback.print_exc()
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
    if failure is not None and current is not None:
        current.write(failure, Manifest.failure(name, variant or "", cause, exit_code))
        return
    progress.event("error", message=cause, exit_code=exit_code)
    raise SystemExit(exit_code)
