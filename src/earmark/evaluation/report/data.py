"""What a report is made of: plain values, so that a page can be rendered (and tested) from anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from earmark.architectures import PAPER
from earmark.evaluation.report.studied import Study


@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval; ``None`` where it is not defined, ``inf`` where d-prime is."""

    value: float | None
    low: float | None = None
    high: float | None = None


NOTHING = Estimate(None)


@dataclass(frozen=True)
class ClassScore:
    """How one label fared on the test clips."""

    label: str
    positives: int
    prior: float
    ap: Estimate = NOTHING
    auc: Estimate = NOTHING
    d_prime: Estimate = NOTHING
    recall: Estimate = NOTHING


@dataclass(frozen=True)
class Network:
    """One network that was trained and evaluated. ``test`` and ``validation`` go by auc, d_prime, map, accuracy."""

    variant: str
    architecture: str
    steps: int
    seconds: float
    weights: int
    multiplies: int
    test: Mapping[str, Estimate]
    validation: Mapping[str, Estimate]
    classes: Sequence[ClassScore]
    confusion: Sequence[Sequence[int]] | None = None
    """Clips by true (row) and first-scored (column) label, where a clip has one label."""
    train_curve: Sequence[tuple[float, float]] = ()
    """(step, loss)."""
    validation_curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """(step, value) by ``map`` and ``accuracy``."""
    gpu_seconds: float | None = None
    """GPUs × seconds of all attempts; None where there was no GPU."""
    cost: float | None = None
    """Of the machine's time, in the price's currency; None where no price was known."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else helps to repeat it: device, precision, patches per second, restarts."""

    @property
    def title(self) -> str:
        """The network's name as the paper writes it, or the variant's own where it has one."""
        known = self.variant == self.architecture and self.architecture in PAPER
        return PAPER[self.architecture].title if known else self.variant


@dataclass(frozen=True)
class Failure:
    """A network that did not finish, and why."""

    variant: str
    cause: str


@dataclass(frozen=True)
class Finding:
    """A row of the catalog's findings."""

    clip: str
    finding: str
    detail: str
    action: str


@dataclass(frozen=True)
class Sound:
    """At most ten seconds of a clip: where they start, their log-mel as an image, and the sound itself."""

    clip: str
    start_s: float
    seconds: float
    image: str
    """PNG data URI, 64 mel bands high; empty where the sound could not be read."""
    audio: str | None
    """MP3 data URI; None where the sound could not be read or found no room."""


@dataclass(frozen=True)
class Timeline:
    """Instantaneous outputs of the champion over a clip."""

    sound: Sound
    truth: Sequence[str]
    times_s: Sequence[float]
    """Centre of each patch, from the start of the excerpt."""
    outputs: Mapping[str, Sequence[float]]
    spans: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """When labels are truly heard, in seconds from the start of the excerpt, where that is known."""


@dataclass(frozen=True)
class Mistake:
    """A clip whose first-scored label is wrong, and how sure the champion was of it."""

    sound: Sound
    truth: Sequence[str]
    guess: str
    guess_score: float
    truth_score: float


@dataclass(frozen=True)
class Trust:
    """How far the champion's scores can be taken as probabilities, and from which one on a label counts as heard."""

    output: str
    """``sigmoid`` or ``softmax``."""
    method: str
    """``none``, ``temperature`` or ``platt``."""
    temperatures: Sequence[float]
    """Of each label."""
    parts: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Reliability of each part (``validation``, ``test``) ``before`` and ``after``: clips, ece, chance, log_loss, and
    bins (count, score, share, low, high)."""
    thresholds: Sequence[Mapping[str, Any]]
    """Of each label: label, value, because; positives, precision and recall of the test clips."""


@dataclass(frozen=True)
class Report:
    """One comparison. ``networks`` are in the order of validation; the first is the champion."""

    run: str
    source: str
    """Where the clips came from."""
    labels: Sequence[str]
    single_label: bool
    clips: Mapping[str, int]
    """Clips by split: train, validation, test."""
    chance: Mapping[str, float]
    """What guessing gets: ``accuracy`` (always the commonest label) and ``map`` (the mean prior)."""
    networks: Sequence[Network]
    test_order: Sequence[str]
    """Variants by test mAP."""
    failures: Sequence[Failure] = ()
    findings: Sequence[Finding] = ()
    timelines: Sequence[Timeline] = ()
    mistakes: Sequence[Mistake] = ()
    trust: Trust | None = None
    study: Study | None = None
    """What the networks were compared for, where that is more than which is best."""
    confidence: float = 0.95
    command: str = ""
    config: Any = None
    evaluated: str = ""
    """The registered version that was scored, where nothing was trained; the clips of training are then its own."""
    remarks: Sequence[str] = ()
    """What else the reader must know at once."""
    facts: Sequence[tuple[str, str]] = ()
    """What identifies the run: digests, versions, seed, machine."""

    @property
    def champion(self) -> Network | None:
        """First by validation, None where nothing finished."""
        return self.networks[0] if self.networks else None
