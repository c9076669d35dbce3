"""The process that trains, ``python -m earmark.training.worker JOB.json``: started and resumed by a supervisor.

Several of them, started by ``torchrun``, train together: the first alone writes results, curves and progress.
SIGTERM and SIGINT let it finish its step and save. If its supervisor dies, it dies at once.
"""

from __future__ import annotations

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
from earmark.training.lifeline import die_with_parent
from earmark.training.origin import lasting, origin
from earmark.training.processes import memory_remedy

if TYPE_CHECKING:
    from torch import nn

    from earmark.training.distributed import World
    from earmark.training.loop import Trainer
    from earmark.training.watch import Log


def main(path: str) -> int:
    """Run a job; what came of it is in its outcome file."""
    job, supervisor = Job.read(Path(path))
    die_with_parent(supervisor, between=0 if job.processes == 1 else 1)
    # Until there is something to save, Ctrl-C (which reaches the whole process group) ends it without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    progress = Progress(f"train_model/{job.variant}")
    rank = int(os.environ["RANK"]) if job.processes > 1 else 0
    progress.event("worker", pid=os.getpid(), rank=rank)
    outcome = lead(job, progress) if rank == 0 else follow(job)
    if outcome is None:
        # What this process shares with those that are gone cannot be put away in order.
        os._exit(1)
    if rank == 0 or outcome.status == "failed":
        outcome.write(job.outcome)
    # Another code than 0 would have torchrun end the first worker, which may still be saving.
    return outcome.exit_code if outcome.status == "failed" or job.processes == 1 else 0


def lead(job: Job, progress: Progress) -> Outcome | None:
    """Train as the first worker, and say how it ended; None if only because another one went away."""
    config = job.config
    facts = {**job.dataset.facts["clips"], "labels": len(job.dataset.facts["labels"])}
    tracker = Tracker(job.run, DatasetFacts(job.dataset.digest, job.dataset.facts["data"], facts), progress)
    tracked = tracker.child(job.key, job.variant, flat(config.model_dump()))
    try:
        outcome = _train(job, progress, tracked)
    except Exception as error:
        # A worker that fails says so before it goes.
        failure = _failure(job, error)
        told = failure or Outcome.read(job.outcome)
        if told is not None and told.status == "failed":
            tracked.finish("FAILED", cause=told.cause)
        return failure
    final = {f"final/{name}": value for name, value in outcome.facts.items() if isinstance(value, int | float)}
    tracked.finish("FINISHED", final)
    return outcome


def follow(job: Job) -> Outcome | None:
    """Train as another worker than the first, which alone tells of it; None if only because one of them went away."""
    quiet = Progress(f"train_model/{job.variant}", mode="off")
    try:
        world, dataset, attempt = _open(job)
        trainer = _trainer(job, world, dataset, attempt, quiet, lambda _kind, _figures: None)
        trainer.train()
        world.leave()
    except Exception as error:
        return _failure(job, error)
    return Outcome("done", exit_code=0)


def _train(job: Job, progress: Progress, tracked: ChildRun) -> Outcome:
    from earmark.training.environment import environment

    world, dataset, attempt = _open(job)
    trainer = _trainer(job, world, dataset, attempt, progress, tracked.log)
    tracked.tag({f"environment.{name}": value for name, value in environment(trainer.device).items()})
    tracked.tag({"environment.processes": str(job.processes)})
    network = trainer.train()
    world.leave()
    tracked.tag({"environment.precision": trainer.precision})
    return _result(job, dataset, trainer, network, attempt)


def _open(job: Job) -> tuple[World, Dataset, Attempt]:
    """The other workers, the data, and where the result goes; too few GPUs are found before any data is opened."""
    from earmark.training.distributed import alone, join

    world = join() if job.processes > 1 else alone()
    store = open_store(job.store)
    dataset = Dataset.open(store, job.dataset, job.patches).learned(job.config.train)
    return world, dataset, Attempt(store, "train_model", job.key)


def _trainer(job: Job, world: World, dataset: Dataset, attempt: Attempt, progress: Progress, log: Log) -> Trainer:
    """A trainer that finishes its step and saves when this process is told to stop."""
    from earmark.training.checkpoint import Checkpoints
    from earmark.training.loop import Trainer

    train = job.config.train
    told = origin(job.config, job.dataset.digest)
    checkpoints = Checkpoints(
        attempt.store, attempt.folder, train.keep_checkpoints, progress.note, told, train.resume_from
    )
    trainer = Trainer(dataset, job.config, checkpoints, progress, log, world)

    def stop(_signal: int, _frame: object) -> None:
        trainer.stop_requested = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return trainer


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
        "labels": len(dataset.labels),
        "train_clips": len(dataset.clips("train")),
        "train_patches": len(trainer.batches.sampler.patches),
        "patches_seen": trainer.steps * config.train.batch_size,
        "patches_per_s": round(statistics.median(point["patches_per_s"] for point in curves["train"]), 2),
        "select": config.train.select,
        "selected_step": selected["step"] if selected else trainer.steps,
        "best_step": trainer.best.point["step"] if trainer.best else None,
        "validation": selected,
    }
    files = {name: vars(ref) for name, ref in attempt.files.items()}
    return Outcome("done", exit_code=0, digest=digest([weights.sha256, model.sha256]), files=files, facts=facts)


def _failure(job: Job, error: Exception) -> Outcome | None:
    from earmark.training.distributed import lost_peer
    from earmark.training.loop import Stopped

    if lost_peer(error):
        print(f"training worker {os.getpid()} lost another one: {error}".splitlines()[0], file=sys.stderr)
        return None
    if isinstance(error, Stopped):
        return Outcome("stopped", str(error))
    if isinstance(error, EarmarkError):
        return Outcome("failed", str(error), error.exit_code)
    if _out_of_memory(error):
        remedy = memory_remedy(job.config.train, job.processes)
        return Outcome("failed", f"out of memory: {remedy}, or give the step more memory")
    traceback.print_exception(error)
    return Outcome("failed", f"{type(error).__name__}: {error}".splitlines()[0])


def _out_of_memory(error: Exception) -> bool:
    import torch

    # The CPU's allocator and cuBLAS's workspace raise a plain RuntimeError.
    told = any(words in str(error) for words in ("DefaultCPUAllocator", "STATUS_ALLOC_FAILED"))
    return told or isinstance(error, torch.OutOfMemoryError | MemoryError)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
