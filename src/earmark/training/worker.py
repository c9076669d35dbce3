"""The process that trains, ``python -m earmark.training.worker JOB.json``: started and resumed by a supervisor.

SIGTERM and SIGINT let it finish its step and save. If its supervisor dies, it dies at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import statistics
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark import __version__
from earmark.catalog import Dataset
from earmark.config import digest
from earmark.errors import EarmarkError
from earmark.progress import Progress
from earmark.store import Attempt, open_store
from earmark.tracking import ChildRun, DatasetFacts, Tracker, flat
from earmark.training.job import Job, Outcome
from earmark.training.origin import lasting, origin

if TYPE_CHECKING:
    from torch import nn

    from earmark.training.loop import Trainer

PR_SET_PDEATHSIG = 1


def main(path: str) -> int:
    """Run a job; what came of it is in its outcome file."""
    job, supervisor = Job.read(Path(path))
    die_with(supervisor)
    # Until there is something to save, Ctrl-C (which reaches the whole process group) ends it without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    progress = Progress(f"train_model/{job.variant}")
    progress.event("worker", pid=os.getpid())
    outcome = run(job, progress)
    outcome.write(job.outcome)
    return 0 if outcome.status == "done" else outcome.exit_code


def die_with(supervisor: int) -> None:
    """Have the kernel kill this process when its supervisor ends, however that happens, so that no orphan trains on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        sys.exit(1)


def run(job: Job, progress: Progress) -> Outcome:
    """Train, and say how it ended."""
    config = job.config
    facts = {**job.dataset.facts["clips"], "labels": len(job.dataset.facts["labels"])}
    tracker = Tracker(job.run, DatasetFacts(job.dataset.digest, job.dataset.facts["data"], facts), progress)
    tracked = tracker.child(job.key, job.variant, flat(config.model_dump()))
    try:
        outcome = _train(job, progress, tracked)
    except Exception as error:
        outcome = _failure(error)
        if outcome.status == "failed":
            tracked.finish("FAILED", cause=outcome.cause)
        return outcome
    final = {f"final/{name}": value for name, value in outcome.facts.items() if isinstance(value, int | float)}
    tracked.finish("FINISHED", final)
    return outcome


def _train(job: Job, progress: Progress, tracked: ChildRun) -> Outcome:
    from earmark.training.checkpoint import Checkpoints
    from earmark.training.environment import environment
    from earmark.training.loop import Trainer

    store = open_store(job.store)
    dataset = Dataset.open(store, job.dataset, job.patches)
    attempt = Attempt(store, "train_model", job.key)
    train = job.config.train
    told = origin(job.config, job.dataset.digest)
    checkpoints = Checkpoints(store, attempt.folder, train.keep_checkpoints, progress.note, told, train.resume_from)
    trainer = Trainer(dataset, job.config, checkpoints, progress, tracked.log)
    tracked.tag({f"environment.{name}": value for name, value in environment(trainer.device).items()})

    def stop(_signal: int, _frame: object) -> None:
        trainer.stop_requested = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    network = trainer.train()
    tracked.tag({"environment.precision": trainer.precision})
    return _result(job, dataset, trainer, network, attempt)


def _result(job: Job, dataset: Dataset, trainer: Trainer, network: nn.Module, attempt: Attempt) -> Outcome:
    """Write weights, description and curves; all but the curves depend on nothing but the job."""
    from safetensors.torch import save

    from earmark.architectures import count

    config = job.config
    weights = attempt.put("weights.safetensors", save({k: t.contiguous() for k, t in network.state_dict().items()}))
    model = attempt.put_json(
        "model.json",
        {
            "schema_version": 1,
            "architecture": config.architecture.model_dump(),
            "labels": dataset.labels,
            "single_label": dataset.single_label,
            "output": trainer.objective.output,
            "features": config.features.model_dump(),
            "evaluate": config.evaluate.model_dump(),
            "embedding_size": trainer.network.embedding_size,
            "dataset": job.dataset.digest,
            "train_clips": digest([clip.clip_key for clip in dataset.clips("train")]),
            "config": lasting(config).model_dump(),
            "version": __version__,
        },
    )
    attempt.put_json("curves.json", {"schema_version": 1, **trainer.watch.curves})
    counts = count(trainer.network)
    curves, selected = trainer.watch.curves, trainer.selected
    facts: dict[str, Any] = {
        "variant": job.variant,
        "name": config.architecture.name,
        "steps": trainer.steps,
        "seconds": round(trainer.seconds, 3),
        "weights": counts.weights,
        "multiplies": counts.multiplies,
        "precision": trainer.precision,
        "device": str(trainer.device),
        "patches_seen": trainer.steps * config.train.batch_size,
        "patches_per_s": round(statistics.median(point["patches_per_s"] for point in curves["train"]), 2),
        "select": config.train.select,
        "selected_step": selected["step"] if selected else trainer.steps,
        "best_step": trainer.best.point["step"] if trainer.best else None,
        "validation": selected,
    }
    files = {name: vars(ref) for name, ref in attempt.files.items()}
    return Outcome("done", exit_code=0, digest=digest([weights.sha256, model.sha256]), files=files, facts=facts)


def _failure(error: Exception) -> Outcome:
    from earmark.training.loop import Stopped

    if isinstance(error, Stopped):
        return Outcome("stopped", str(error))
    if isinstance(error, EarmarkError):
        return Outcome("failed", str(error), error.exit_code)
    if _out_of_memory(error):
        remedy = "lower train.batch_size or architecture.width, or give the step more memory"
        return Outcome("failed", f"out of memory: {remedy}")
    traceback.print_exception(error)
    return Outcome("failed", f"{type(error).__name__}: {error}".splitlines()[0])


def _out_of_memory(error: Exception) -> bool:
    import torch

    # On the CPU torch raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
