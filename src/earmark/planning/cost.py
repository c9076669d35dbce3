"""What a plan costs by the user's own prices, what it spends most of its time on, and what would change that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from earmark.config import Experiment
from earmark.planning.estimate import Cluster, Plan, Row, estimate

REMEDIES = {
    "read": "a store that moves more bytes a second",
    "decode": "more pods or cores",
    "clips": "more pods or cores",
    "steps": "more GPUs a training, fewer steps, or networks side by side (the profile train's pods)",
    "validation": "a smaller data.validation_share or a larger train.validate_every_share",
    "scores": "a smaller data.test_share, or data.balanced_test",
    "intervals": "fewer evaluate.bootstrap_resamples, or fewer test clips (data.test_share, data.balanced_test)",
    "metrics": "fewer test clips (data.test_share, data.balanced_test)",
}
"""What makes the part of a step shorter."""


@dataclass(frozen=True)
class Prices:
    """In any currency; None where a price is not known."""

    gpu_hour: float | None = None
    core_hour: float | None = None
    gb_month: float | None = None
    thousand_writes: float | None = None
    thousand_reads: float | None = None

    @property
    def known(self) -> bool:
        """Whether steps have a cost."""
        return any(price is not None for price in (self.gpu_hour, self.core_hour, *self._of_requests))

    def of(self, row: Row) -> float:
        """Cost of a step, by what prices are known."""
        writes, reads = self._of_requests
        pairs = [
            (self.gpu_hour, row.gpu_hours),
            (self.core_hour, row.core_hours),
            (writes, row.requests.writes / 1000),
            (reads, row.requests.reads / 1000),
        ]
        return sum(price * amount for price, amount in pairs if price is not None)

    def month(self, plan: Plan) -> float | None:
        """What keeping all that is stored costs a month."""
        return None if self.gb_month is None else self.gb_month * plan.written / 1e9

    @property
    def _of_requests(self) -> tuple[float | None, float | None]:
        return self.thousand_writes, self.thousand_reads


def bottleneck(plan: Plan, experiment: Experiment) -> list[str]:
    """Sentences: what takes most of the time, what more pods, cores or GPUs would make of it, what a node must hold."""
    longest = max(plan.rows, key=lambda row: row.seconds)
    part = max(longest.parts, key=lambda name: longest.parts[name])
    share = longest.seconds / plan.seconds if plan.seconds else 0.0
    remedy = f"; {REMEDIES[part]} would change it" if part in REMEDIES else ""
    told = [f"{longest.title} takes {share:.0%} of the time, most of that in {part!r}{remedy}."]
    cluster = plan.cluster
    tried = {
        f"{2 * cluster.pods} pods": replace(cluster, pods=2 * cluster.pods),
        f"{2 * cluster.cores} cores a pod": replace(cluster, cores=2 * cluster.cores),
    }
    if cluster.gpus:
        tried[f"{2 * cluster.gpus} GPUs a training"] = replace(cluster, gpus=2 * cluster.gpus)
    gains = [f"{name} {duration(_seconds(plan, experiment, other))}" for name, other in tried.items()]
    told.append(f"In all {duration(plan.seconds)}; with {', with '.join(gains)}.")
    largest = max(plan.rows, key=lambda row: row.memory)
    told.append(f"The largest pod is {largest.title}'s: {size(largest.memory)} of memory.")
    frames = size(plan.sizes.frame_bytes)
    told.append(f"Unless the store is a folder, a node that trains or evaluates keeps a copy of the frames: {frames}.")
    return told


def _seconds(plan: Plan, experiment: Experiment, cluster: Cluster) -> float:
    return estimate(plan.corpus, experiment, plan.rates, cluster).seconds


def duration(seconds: float) -> str:
    """``12 s``, ``5.2 min``, ``7.3 h``, ``12.4 days``."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    days = seconds / 86_400
    return f"{days:,.0f} days" if days >= 100 else f"{days:.3g} days"


def size(count: float) -> str:
    """``512 kB``, ``1.3 GB``: powers of ten, as stores are billed."""
    for limit, unit, name in ((1e6, 1e3, "kB"), (1e9, 1e6, "MB"), (1e12, 1e9, "GB"), (1e15, 1e12, "TB")):
        if count < limit:
            return f"{count / unit:,.3g} {name}" if count / unit < 1000 else f"{count / unit:,.0f} {name}"
    return f"{count / 1e15:,.3g} PB"


def hours(count: float) -> str:
    """``0.0237``, ``12.1``, ``1,440``."""
    return f"{count:,.0f}" if count >= 100 else f"{count:.3g}"


def number(count: float) -> str:
    """``812``, ``45.3 k``, ``140 M``."""
    for limit, unit, name in ((1e4, 1, ""), (1e6, 1e3, " k"), (1e9, 1e6, " M")):
        if count < limit:
            return f"{count / unit:,.0f}" if unit == 1 else f"{count / unit:.3g}{name}"
    return f"{count / 1e9:.3g} G"
