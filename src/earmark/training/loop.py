"""Training, read top to bottom: set up or resume, then batch, forward, backward, step; validate and save on the way."""

from __future__ import annotations

import json
import math
import time
from contextlib import nullcontext
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from earmark.architectures import Network, create
from earmark.architectures.base import tell_rows
from earmark.catalog import Dataset
from earmark.config import Config
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.training.augment import augment
from earmark.training.average import Average
from earmark.training.batches import Ahead, Batch, Batches, dequantise
from earmark.training.budget import measured_steps, stated_steps
from earmark.training.checkpoint import Checkpoint, Checkpoints, Writer
from earmark.training.compiling import compiles
from earmark.training.distributed import World, alone, without_exchange
from earmark.training.environment import make_deterministic
from earmark.training.initial import load_initial
from earmark.training.objective import Objective
from earmark.training.optimiser import Optimiser
from earmark.training.precision import autocast, faster_precision
from earmark.training.processes import check_batch, micro_batch_size
from earmark.training.sampler import STREAM_TORCH, step_generator
from earmark.training.schedule import learning_rate
from earmark.training.state import Best, better, collect, restore
from earmark.training.validate import Validation
from earmark.training.watch import Log, Watch


class Stopped(EarmarkError):
    """Training was asked to stop; its state is saved."""


class Trainer:
    """One training run.

    Args:
        dataset: clips, labels, frames.
        config: the whole tree of the variant.
        checkpoints: where its state is kept; it goes on from the latest.
        progress: told of steps, loss, rate.
        log: told of each point of the curves: (``train`` or ``validation``, figures by name).
        world: the processes that train this network together; only the first of them writes.

    Raises:
        UserError: the batch is larger than the training part or the processes cannot share it, or the best of no
                validation part is wanted.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: Config,
        checkpoints: Checkpoints,
        progress: Progress,
        log: Log,
        world: World | None = None,
    ) -> None:
        assert config.train.has_budget
        self.config, self.checkpoints, self.progress = config, checkpoints, progress
        make_deterministic(config.train.deterministic)
        self.world = world or alone()
        self.device = self.world.device
        check_batch(config.train, self.world.size)
        self.batches = Batches(dataset, config)
        self.steps = stated_steps(config.train, len(self.batches.sampler.patches)) or 0
        self.objective = Objective(config.train, dataset.single_label, self.batches.label_shares())
        self.validation = Validation(dataset, config.evaluate, self.objective.output, self.world)
        if config.train.select == "best" and not len(self.validation):
            raise UserError(
                "train.select is best and the dataset has no validation part to find it by: set train.select to last, "
                "or give data.validation_share (or the data's own split) a validation part"
            )
        self.writer = Writer(checkpoints)
        self.best: Best | None = None
        self.stop_requested = False

        torch.manual_seed(config.seed)
        self.labels = dataset.labels
        self.network = self._new_network(len(dataset.labels))
        self.parallel: nn.Module = self.network
        self.optimiser = Optimiser(self.network, config.train)
        self.average = Average(self.network, config.train.ema_share) if config.train.ema_share > 0 else None

        if self.device.type == "cuda" and self.batches.keep_on(self.device, torch.cuda.mem_get_info(self.device)[0]):
            progress.note("the training frames are kept in the GPU's memory")

        self.step = 0
        self.seconds = 0.0
        self.precision: str = config.train.precision
        if self.precision == "auto" and config.train.deterministic:
            # What is measured may come out otherwise the next time.
            self.precision = "fp32"
        self.compiled = False
        chance, clips_of = self.objective.chance(), self.batches.clip_ids
        self.watch = Watch(config.train, self.device, chance, clips_of, progress, log, self.objective.least())

    def train(self) -> nn.Module:
        """Train to the last step, from wherever it was; the network to ship, in evaluation mode.

        Raises:
            Stopped: ``stop_requested`` was set; the state is saved.
            EarmarkError: the loss or a weight is not finite.
        """
        with self.writer:
            self._resume_or_begin()
            if self.compiled:
                self.network.compile()
            self.network.train()
            self._clock = self._saved_at = time.perf_counter()
            self.watch.begin(self.steps)
            ahead = Ahead(self.batches, pin=self.device.type == "cuda")
            for batch in ahead(self.step, self.steps):
                self.train_step(batch)
                stops = self.world.any(self.stop_requested)
                self.writer.check()
                validates = self.step in self._validation_steps()
                if validates or self.watch.due():
                    self.watch.tell(ahead.waited_seconds)
                if validates:
                    self._validate()
                    self.watch.restart_rate(ahead.waited_seconds)
                due = time.perf_counter() - self._saved_at >= self.config.train.checkpoint_every_seconds
                if due or stops or self.step == self.steps:
                    self.save()
                if stops and self.step < self.steps:
                    self.writer.wait()
                    raise Stopped(f"stopped after step {self.step}; its state is saved")
        return self._to_ship()

    @property
    def selected(self) -> dict[str, Any] | None:
        """What validation found of the network that is shipped, with its step; None where there is no validation."""
        if self.config.train.select == "best":
            return self.best.point if self.best else None
        points = self.watch.curves["validation"]
        return points[-1] if points else None

    def batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Log-mel patches (B, 96, 64) and targets (B, C) as this step trains on them, on the training device."""
        held = batch.to(self.device)
        x_BTF = dequantise(held.x_BTF, self.config.features)
        return augment(x_BTF, held.y_BC, held.draws, self.config.augment.mix_equal_power)

    def forward_backward_step(
        self, network: nn.Module, precision: str, x_BTF: Tensor, y_BC: Tensor, share: float = 1.0
    ) -> Tensor:
        """This share of the loss, its gradients left in the weights."""
        with autocast(self.device, precision):
            logits_BC = network(x_BTF)
        loss = self.objective.loss(logits_BC, y_BC) * share
        torch.autograd.backward(loss)
        return loss.detach()

    def _forward_backward_share(self, x_BTF: Tensor, y_BC: Tensor) -> Tensor:
        """The loss of this process's rows of the whole batch, in micro-batches; the gradients are everyone's."""
        seed = int(step_generator(self.config.seed, self.step, STREAM_TORCH).integers(2**62))
        rows, size = self.world.rows(len(x_BTF)), micro_batch_size(self.config.train, self.world.size)
        total = torch.zeros((), device=self.device)
        for first in range(rows.start, rows.stop, size):
            torch.manual_seed(seed)
            tell_rows(self.network, first, len(x_BTF))
            part = slice(first, first + size)
            exchanges = first + size == rows.stop
            with nullcontext() if exchanges else without_exchange(self.parallel):
                total += self.forward_backward_step(
                    self.parallel, self.precision, x_BTF[part], y_BC[part], size / len(rows)
                )
        return total

    def train_step(self, batch: Batch) -> None:
        """One optimiser step. Its dropout is a function of (seed, step), so a resumed run draws what was drawn."""
        x_BTF, y_BC = self.batch(batch)
        self.watch.add(self.world.mean(self._forward_backward_share(x_BTF, y_BC)))
        self.world.level(self.network)
        self.optimiser.step(learning_rate(self.step, self.steps, self.config.train))
        if self.average:
            self.average.update(self.step, self.steps)
        self.step += 1

    def save(self) -> None:
        """Have the first process write a checkpoint: all that the next step depends on, and the curves so far.

        Raises:
            EarmarkError: a weight is not finite; nothing is written.
        """
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = self._saved_at = now
        if self.world.rank == 0:
            self.writer.save(collect(self))

    def _new_network(self, n_labels: int) -> Network:
        wanted = self.config.architecture
        if wanted.head.kind == "neighbours":
            raise UserError(
                "architecture.head.kind is neighbours, and such a head is fitted, not trained: set train.freeze_stages "
                "to all (and train.init_from to the network), or take the head linear or dense"
            )
        network = create(
            wanted.name, n_labels, wanted.width, wanted.bottleneck, wanted.dropout, wanted.head, **wanted.options
        )
        if self.config.train.prior_bias and network.last is not None:
            with torch.no_grad():
                network.last.bias.copy_(self.objective.prior_logits())
        if self.config.train.init_from:
            store, place = self.checkpoints.store, self.config.train.init_from
            self.progress.note(load_initial(network, store, place, self.labels))
        network.freeze(self.config.train.freeze_stages)
        network = network.to(self.device)
        return network.to(memory_format=torch.channels_last)

    def _resume_or_begin(self) -> None:
        found = self._latest()
        if found is not None:
            restore(self, found)
            self.parallel = self.world.parallel(self.network)
            self.progress.note(f"going on from step {self.step} of {self.steps}")
            return
        if self.precision == "auto":
            self.precision = self._agreed(faster_precision(self.network, self.device, self._probe))
            self.progress.note(f"computing in {self.precision}")
        self.parallel = self.world.parallel(self.network)
        if self.config.train.minutes is not None:
            self.steps = self._agreed(measured_steps(self))
            self.progress.note(f"{self.config.train.minutes:g} minutes are {self.steps} steps here")
        self.compiled, why = self._agreed(compiles(self.config.train.compile, self.device, self.steps))
        if self.compiled or self.device.type == "cuda":
            self.progress.note(why)
        # Kept before the first step: a run killed early must not measure again and choose otherwise.
        self._clock = time.perf_counter()
        self.watch.begin(self.steps)
        self.save()
        self.writer.wait()

    def _latest(self) -> Checkpoint | None:
        """The latest checkpoint as the first process found it: only one may look, since damaged ones are removed."""
        if self.world.size == 1:
            return self.checkpoints.latest()
        found = self.checkpoints.latest() if self.world.rank == 0 else None
        tensors = self.world.share(save(found.tensors) if found else b"")
        meta = self._agreed(found.meta if found else None)
        return Checkpoint(load(tensors), meta) if tensors else None

    def _agreed(self, value: Any) -> Any:
        """What the first process found, as JSON has it; measurements differ."""
        return json.loads(self.world.share(json.dumps(value).encode()))

    def _probe(self, network: nn.Module, precision: str, size: int) -> None:
        x_BTF = torch.zeros(size, 96, 64, device=self.device)
        y_BC = torch.zeros(size, self.batches.n_labels, device=self.device)
        self.forward_backward_step(network, precision, x_BTF, y_BC)

    def _validation_steps(self) -> set[int]:
        every = self.config.train.validate_every_share * self.steps
        return {min(self.steps, round(every * i)) for i in range(1, math.ceil(self.steps / every) + 1)}

    @torch.no_grad()
    def predict(self, x_PTF: Tensor) -> Tensor:
        """Logits (P, C) of stored frames (P, 96, 64), by the network that would be shipped now."""
        network = self.average.network if self.average else self.network.eval()
        with autocast(self.device, self.precision):
            logits_PC: Tensor = network(dequantise(x_PTF.to(self.device), self.config.features))
        self.network.train()
        return logits_PC

    def _validate(self) -> None:
        if not len(self.validation):
            return
        point = self.watch.validated(self.validation.score(self.predict))
        self.best = better(point, self.average.network if self.average else self.network, self.best)

    def _to_ship(self) -> nn.Module:
        network = self.average.network if self.average else self.network.eval()
        if self.config.train.select == "best" and self.best:
            network.load_state_dict(self.best.weights)
        return network
