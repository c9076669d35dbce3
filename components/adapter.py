"""What every component does around its one library call: store, progress, artifacts in and out, errors told."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from earmark.config import Config, Experiment
from earmark.environment import changed_environment
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.store import Manifest, Store, load, open_store
from earmark.store.causes import Cause, leave_cause, take_back_cause
from earmark.store.usage import Meter, Usage
from earmark.tracking import RunContext

KUBEFLOW_RUN, ID_LETTERS = "EARMARK_KFP_RUN_ID", 8
LAST_WORD_SECONDS = "3"
"""How long an error may take on its way to the store: the step is over."""

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
    """One execution of a step: its store, its progress, its experiment.

    Attributes:
        run: the run's id.
        gpus: how many GPUs it uses, once that is known; counted as what the run took.
    """

    def __init__(self, name: str, run: str, variant: str | None) -> None:
        self.name, self.run, self.variant = name, run, variant
        self.title = f"{name}.{variant}" if variant else name
        self.gpus = 0
        self.progress = Progress(f"{name}/{variant}" if variant else name)
        self.store: Store = open_store()
        self._started = time.monotonic()
        self._meter: Meter | None = None

    def begin(self, counted: bool) -> None:
        """From here on its time is part of what the run takes."""
        self._meter = Meter(self.store, self.run, self.title) if counted else None

    def earlier(self) -> Usage:
        """What earlier attempts at this step of this run took."""
        return self._meter.earlier(self.store) if self._meter is not None else Usage()

    def end(self, store: Store) -> None:
        """Leave what it took under the run; a store that is away is no failure."""
        if self._meter is not None:
            self._meter.gpus = self.gpus
            with suppress(Exception):
                self._meter.stop(store)

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
        self.store.put(f"runs/{self.run}/{self.title}.json", manifest.to_json().encode())
        seconds = round(time.monotonic() - self._started, 3)
        self.progress.event("done", seconds=seconds, reused=manifest.reused, failed=manifest.failed)


@contextmanager
def step(
    name: str, run: str, variant: str | None = None, failure: Artifact | None = None, *, counted: bool = True
) -> Iterator[Step]:
    """Run the body of a component.

    An error is told as one event and ends the process with the error's exit code; the cause is left under the run, for
    whoever tells how it ended. Where ``failure`` is given, the cause is written there instead and the process ends
    well, so that one variant's failure leaves the others alone.

    Args:
        name: the step's.
        run: the run's id, or its beginning and ``*``, see :func:`run_name`.
        variant: which one, of a step that runs for each.
        failure: the artifact that holds a result or the cause why there is none.
        counted: whether its time is part of what the run took.
    """
    progress = Progress(f"{name}/{variant}" if variant else name)
    progress.event("started")
    cause, exit_code = "", 1
    current: Step | None = None
    try:
        current = Step(name, run_name(run), variant)
        current.begin(counted)
        yield current
        current.end(current.store)
        take_back_cause(current.store, current.run, current.title)
        return
    except EarmarkError as error:
        cause, exit_code = str(error), error.exit_code
    except Exception as error:
        traceback.print_exc()
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
    except BaseException:
        # Stopped: it goes on, if at all, as another attempt.
        if current is not None:
            current.end(_hasty_store())
        raise
    if failure is not None and current is not None:
        current.write(failure, Manifest.failure(name, variant or "", cause, exit_code))
        current.end(current.store)
        return
    progress.event("error", message=cause, exit_code=exit_code)
    if current is not None:
        store = _hasty_store()
        current.end(store)
        with suppress(Exception):  # the store may be what failed
            leave_cause(store, current.run, Cause(current.title, cause, exit_code))
    raise SystemExit(exit_code)


def run_name(run: str) -> str:
    """A run's id. One that ends in ``*``, as a schedule's, gets the beginning of Kubeflow's own in its place.

    Raises:
        UserError: there is no Kubeflow run to take it from.
    """
    if not run.endswith("*"):
        return run
    kubeflow = os.environ.get(KUBEFLOW_RUN, "")
    if not kubeflow:
        raise UserError(f"the run is {run!r}, to be completed by {KUBEFLOW_RUN}, which is not set: give the whole id")
    return run.removesuffix("*") + kubeflow[:ID_LETTERS]


def _hasty_store() -> Store:
    """The store, without the patience that a step has with it."""
    with changed_environment(EARMARK_S3_DEADLINE=LAST_WORD_SECONDS):
        return open_store()
