"""What each step of ``compare`` takes: time, memory, storage, requests. Pure functions of corpus, config and rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.catalog.headers import FILES_A_PART
from earmark.config import Config, Experiment
from earmark.errors import UserError
from earmark.features import PATCH_FRAMES
from earmark.planning import sizes as rows
from earmark.planning.memory import Memory
from earmark.planning.rates import Rates, Step
from earmark.planning.requests import Asked, Requests
from earmark.planning.sizes import Corpus, NetworkSize, Sizes, checkpoint_bytes, network_size
from earmark.training.budget import stated_steps

GPUS_TOGETHER = 0.9
"""Share of their single rates that several GPUs reach together: a stated value, gradients are exchanged meanwhile."""
PREPARATIONS = 2
"""Steps that are not counted as a run's time and start a process all the same: ``preflight`` and ``finish_run``."""


@dataclass(frozen=True)
class Cluster:
    """What a run is given."""

    cores: int
    """Of each pod."""
    pods: int = 1
    """That extract features side by side."""
    gpus: int = 0
    """Of each training pod."""


@dataclass(frozen=True)
class Row:
    """One step, all its pods together."""

    step: Step
    network: str
    """"" for a step of all networks."""
    parts: Mapping[str, float]
    """Wall seconds by what they are spent on."""
    pods: int
    cores: int
    """Of each pod."""
    gpus: int
    memory: float
    """Peak bytes of each pod."""
    written: float
    """Bytes that stay in the store."""
    objects: int
    requests: Requests

    @property
    def title(self) -> str:
        """``train_model.vgg``, as a run's results are called."""
        return f"{self.step}.{self.network}" if self.network else self.step

    @property
    def seconds(self) -> float:
        """Wall time."""
        return sum(self.parts.values())

    @property
    def core_hours(self) -> float:
        """Of all pods, reserved whether used or not."""
        return self.pods * self.cores * self.seconds / 3600

    @property
    def gpu_hours(self) -> float:
        """Of all pods."""
        return self.pods * self.gpus * self.seconds / 3600


@dataclass(frozen=True)
class Plan:
    """All steps of a run."""

    corpus: Corpus
    cluster: Cluster
    rates: Rates
    sizes: Sizes
    rows: tuple[Row, ...]
    starting: float
    """Seconds in which processes or pods start; they belong to no step."""

    @property
    def seconds(self) -> float:
        """From the first step's start to the last one's end, steps one after another."""
        return self.starting + sum(row.seconds for row in self.rows)

    @property
    def written(self) -> float:
        """Bytes in the store when the run has ended."""
        return sum(row.written for row in self.rows)

    @property
    def requests(self) -> Requests:
        """Of all steps."""
        return sum((row.requests for row in self.rows), Requests())


def estimate(corpus: Corpus, experiment: Experiment, rates: Rates, cluster: Cluster) -> Plan:
    """The plan of ``earmark run compare`` or ``earmark submit compare``.

    Raises:
        UserError: a training goes by minutes, a network has no rate or another width than the rates', or the corpus
            is too small.
    """
    check(corpus, experiment)
    base = Sizes(corpus, experiment.base)
    steps = _Steps(base, rates, cluster)
    found = [steps.build_catalog(), steps.extract_part(), steps.extract_features(), steps.assemble_dataset()]
    sizes: dict[str, NetworkSize] = {}
    for variant in experiment.variants:
        config = experiment.variant(variant.name)
        _check_width(config, rates)
        sizes[variant.name] = network_size(config, corpus.labels)
        own = _Steps(Sizes(corpus, config), rates, cluster)
        found += [
            own.train_model(variant.name, config, sizes[variant.name]),
            own.evaluate_model(variant.name, config, sizes[variant.name]),
        ]
    largest = max(sizes, key=lambda name: sizes[name].multiplies)
    found += [
        steps.compare_models(len(sizes)),
        steps.register_model(experiment.variant(largest), sizes[largest]),
        steps.gate_model(),
    ]
    starting = processes(found) * rates.start_seconds
    return Plan(corpus, cluster, rates, base, tuple(found), starting)


def processes(found: Sequence[Row]) -> int:
    """How many are started one after another: ``gate_model`` is of ``register_model``'s."""
    return len(found) + PREPARATIONS - 1


def check(corpus: Corpus, experiment: Experiment) -> None:
    """Whether there is anything to plan.

    Raises:
        UserError: a training goes by minutes, or the corpus is too small.
    """
    sizes = Sizes(corpus, experiment.base)
    if sizes.frames < PATCH_FRAMES:
        raise UserError(f"--seconds {corpus.seconds:g} is shorter than a patch and the tail is dropped: give 1")
    if not (sizes.train_clips and sizes.test_clips):
        raise UserError(
            f"--clips {corpus.clips} leave {sizes.train_clips} to train on and {sizes.test_clips} to test: give more "
            "clips, or other shares (--set data.test_share=0.2)"
        )
    if any(experiment.variant(variant.name).train.minutes is not None for variant in experiment.variants):
        raise UserError("training that goes by minutes has no steps to plan: give --steps or --epochs")


def _check_width(config: Config, rates: Rates) -> None:
    width = config.architecture.width
    if not math.isclose(width, rates.width):
        raise UserError(
            f"the rates ({rates.source}) are of networks of width {rates.width:g}, and {config.architecture.name} has "
            f"width {width:g}: leave --rates out to measure them, or set architecture.width"
        )


class _Steps:
    """Each step's row."""

    def __init__(self, sizes: Sizes, rates: Rates, cluster: Cluster) -> None:
        self.sizes, self.rates, self.cluster = sizes, rates, cluster
        self.clips, self.labels = sizes.corpus.clips, sizes.corpus.labels
        self.partitions = sizes.partitions(cluster.pods)
        self.shards = sizes.shards_of(self.partitions)
        self.encoded = self.clips * sizes.corpus.seconds * rates.encoded_bytes_per_second
        self.asked = Asked(sizes, cluster.pods)
        self.memory = Memory(sizes, cluster.cores)

    def build_catalog(self) -> Row:
        """Every file listed, read and hashed once; nothing decoded."""
        parts = {
            "read": self.encoded / self.rates.store_bytes_per_second,
            "hash": self.encoded / self.rates.hash_bytes_per_second,
            "headers": self.clips / self.rates.catalog_clips_per_second,
        }
        written = self.clips * (rows.HEADERS_ROW + rows.CATALOG_ROW) + 2 * rows.TABLE_BYTES
        objects = math.ceil(self.clips / FILES_A_PART) + 2
        return self._row("build_catalog", parts, self.memory.catalog(), written, objects, self.asked.build_catalog())

    def extract_part(self) -> Row:
        """Every file read once more and decoded, by as many pods as there are partitions."""
        cores, pods = self.cluster.cores * self.partitions, self.partitions
        sound, stored = self.clips * self.sizes.corpus.seconds, self.sizes.frame_bytes
        parts = {
            "read": self.encoded / self.rates.store_bytes_per_second / pods,
            "decode": sound / self.rates.extract_x_real_time / cores,
            "clips": self.clips / self.rates.extract_clips_per_second / cores,
            "write": stored / self.rates.store_bytes_per_second / pods,
            "plan": self.clips / self.rates.join_clips_per_second / 2,
        }
        written = stored + self.clips * (rows.PART_ROW + rows.PLAN_ROW) + self.shards * rows.TABLE_BYTES
        memory, objects = self.memory.extract(), 2 * self.shards
        return self._row("extract_part", parts, memory, written, objects, self.asked.extract_part(), pods=pods)

    def extract_features(self) -> Row:
        """What the partitions made is joined: a row a clip."""
        parts = {"join": self.clips / self.rates.join_clips_per_second}
        written = self.clips * (rows.INDEX_ROW + rows.FACTS_ROW) + 2 * rows.TABLE_BYTES + self.shards * 200
        return self._row("extract_features", parts, self.memory.join(), written, 2, self.asked.extract_features())

    def assemble_dataset(self) -> Row:
        """Claims judged by what decoding found; splits by hash."""
        parts = {"judge": self.clips / self.rates.assemble_clips_per_second}
        written = self.clips * rows.DATASET_ROW + 2 * rows.TABLE_BYTES + self.labels * rows.LABEL_ROW
        return self._row("assemble_dataset", parts, self.memory.join(), written, 3, self.asked.assemble_dataset())

    def train_model(self, name: str, config: Config, size: NetworkSize) -> Row:
        """Steps and validations; before them the data opened: shards brought here, hashed, searched for silence."""
        network, train, gpus = self.rates.network(config.architecture.name), config.train, self.cluster.gpus
        steps = stated_steps(train, self.sizes.patches * self.sizes.train_clips // self.clips) or 0
        validations = math.ceil(1 / train.validate_every_share) if self.sizes.validation_clips else 0
        windows = self.sizes.validation_clips * self._windows
        scored = self.sizes.validation_clips * self.labels / self.rates.metrics_scores_per_second
        parts = self._opened(silence=train.max_silent_share < 1) | {
            "steps": steps * train.batch_size / self._faster(network.train),
            "validation": validations * (windows / self._faster(network.predict) + scored),
        }
        checkpoint = checkpoint_bytes(config, size, validated=bool(validations))
        parts["checkpoints"] = 2 * checkpoint / self.rates.store_bytes_per_second
        lasting = parts["steps"] + parts["validation"]
        saves = 2 + int(lasting // max(1.0, train.checkpoint_every_seconds))
        kept = min(saves, train.keep_checkpoints)
        first = checkpoint_bytes(config, size, validated=False) if saves == kept else checkpoint
        written = (kept - 1) * checkpoint + first + size.state + 4 * rows.DOCUMENT_BYTES + self.labels * rows.LABEL_ROW
        requests = self.asked.train_model(size, checkpoint, saves)
        memory = self.memory.train(config, size, checkpoint, gpus)
        return self._row("train_model", parts, memory, written, 2 * kept + 3, requests, name, gpus=gpus)

    def evaluate_model(self, name: str, config: Config, size: NetworkSize) -> Row:
        """Every validation and test clip scored by itself; metrics with intervals on one core."""
        clips = self.sizes.validation_clips + self.sizes.test_clips
        rate = self.rates.network(config.architecture.name).score * (self._share if not self.cluster.gpus else 1.0)
        cells = clips * self.labels
        parts = self._opened(silence=False) | {
            "scores": clips * self._windows / rate,
            "intervals": cells * config.evaluate.bootstrap_resamples / self.rates.bootstrap_draws_per_second,
            "metrics": cells / self.rates.metrics_scores_per_second,
        }
        memory, written = self.memory.evaluate(size), self.sizes.evaluated_bytes
        gpus = min(1, self.cluster.gpus)
        requests = self.asked.evaluate_model(size)
        return self._row("evaluate_model", parts, memory, written, 5, requests, name, gpus=gpus)

    def compare_models(self, networks: int) -> Row:
        """Tables ranked, the report drawn."""
        scores = self.sizes.test_clips * self.labels * 4
        parts = {"clips": self.clips / self.rates.open_clips_per_second, "read": scores / self._store}
        written = self.sizes.report_bytes(networks) + 3 * rows.DOCUMENT_BYTES
        requests = self.asked.compare_models(networks)
        return self._row("compare_models", parts, self.memory.compare(networks), written, 2, requests)

    def register_model(self, config: Config, size: NetworkSize) -> Row:
        """The package, its program for others and the PCA of 4,096 training patches; the largest network's."""
        score = self.rates.network(config.architecture.name).score * (self._share if not self.cluster.gpus else 1.0)
        windows = min(rows.PCA_PATCHES, self.sizes.train_clips * self._windows)
        parts = self._opened(silence=True) | {"embeddings": windows / score}
        memory = self.memory.register(size)
        return self._row("register_model", parts, memory, rows.DOCUMENT_BYTES, 0, self.asked.register_model(size))

    def gate_model(self) -> Row:
        """The first champion; where one stands, both are scored on the test clips as in ``evaluate_model``."""
        parts = {"clips": self.clips / self.rates.open_clips_per_second}
        written = 8 * rows.DOCUMENT_BYTES
        return self._row("gate_model", parts, self.memory.join(), written, 2, self.asked.gate_model())

    def _opened(self, silence: bool) -> dict[str, float]:
        """A dataset opened on a node that has nothing of it."""
        stored = self.sizes.frame_bytes
        return {
            "open": self.clips / self.rates.open_clips_per_second,
            "fetch": stored / self._store + stored / self.rates.hash_bytes_per_second,
            "silence": stored / self.rates.scan_bytes_per_second if silence else 0.0,
        }

    @property
    def _store(self) -> float:
        return self.rates.store_bytes_per_second

    @property
    def _windows(self) -> float:
        """Patches of a clip that are scored."""
        return self.sizes.windows * self.rates.sounding_share

    @property
    def _share(self) -> float:
        """How many times the cores of the machine that was measured a pod has."""
        return self.cluster.cores / self.rates.cores

    def _faster(self, rate: float) -> float:
        """A network's rate on what training is given: more GPUs or cores, each a little less than alone."""
        gpus = self.cluster.gpus
        if not gpus:
            return rate * self._share
        return rate if gpus == 1 else rate * gpus * GPUS_TOGETHER

    def _row(
        self,
        step: Step,
        parts: Mapping[str, float],
        memory: float,
        written: float,
        objects: int,
        requests: Requests,
        network: str = "",
        *,
        pods: int = 1,
        gpus: int = 0,
    ) -> Row:
        fixed = {"itself": self.rates.step_seconds.get(step, 0.0)}
        own = 2 * rows.DOCUMENT_BYTES * pods  # the marker, and its copy under the run
        return Row(
            step,
            network,
            {**fixed, **parts},
            pods,
            self.cluster.cores,
            gpus,
            memory,
            written + own,
            objects + 2 * pods + 1,  # what each pod handed on and took; the marker, or the plan of what is extracted
            requests,
        )
