"""``earmark plan``: rates measured or read, the plan, its table."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earmark.architectures import compare_request
from earmark.config import Experiment, merge
from earmark.environment import changed_environment
from earmark.errors import UserError
from earmark.pipelines.local import open_place, run_pipeline
from earmark.pipelines.requests import absolute, ask_compare
from earmark.pipelines.terminal import print_json, print_table
from earmark.planning import Cluster, Corpus, Plan, Rates, estimate, read_rates, write_rates
from earmark.planning.cost import Prices, bottleneck, duration, hours, number, size
from earmark.planning.estimate import check, processes
from earmark.planning.probe import measure
from earmark.planning.rates import Step, rounded
from earmark.planning.sample import CLIPS, LABELS, SHARES, Sample, make_sample
from earmark.planning.sizes import network_size
from earmark.planning.stated import stated_gpu, with_stated_gpu
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.usage import spent
from earmark.training.processes import visible_gpus

PROBE_STEPS, MOST_PROBE_SECONDS = 4, 15.0
"""Steps of the run in small, and what these and its scores may take: export and registering depend on the network."""
MOST_SAMPLE_BYTES = 256_000_000


@dataclass(frozen=True)
class Wanted:
    """What is asked of a plan."""

    corpus: Corpus
    preset: str
    architectures: Sequence[str]
    patch: Mapping[str, Any]
    cores: int | None = None
    pods: int = 1
    gpus: int | None = None
    data: str | None = None
    rates: Path | None = None
    save_rates: Path | None = None


def show_plan(wanted: Wanted, prices: Prices, work: str, json: bool) -> None:
    """Measure or read rates, and print what the run would take.

    Raises:
        UserError: a config, rates or a corpus that cannot be.
    """
    experiment = compare_request(wanted.preset, wanted.patch, wanted.architectures)
    check(wanted.corpus, experiment)
    rates = rates_of(wanted, experiment, work)
    gpus = wanted.gpus if wanted.gpus is not None else int(bool(rates.gpu))
    if gpus and not rates.gpu:
        rates = with_stated_gpu(rates, [variant.name for variant in experiment.variants])
    if wanted.save_rates is not None:
        write_rates(wanted.save_rates, rates)
    cluster = Cluster(wanted.cores or rates.cores, wanted.pods, gpus)
    plan = estimate(wanted.corpus, experiment, rates, cluster)
    if json:
        print_json(_as_json(plan, prices, experiment))
        return
    _print(plan, prices, experiment)


def rates_of(wanted: Wanted, experiment: Experiment, work: str) -> Rates:
    """The rates of a file, or of this machine: its parts by themselves, and a run in small for what steps take."""
    if wanted.rates is not None:
        return read_rates(wanted.rates)
    progress = Progress("plan", stream=sys.stderr)
    if wanted.gpus and not visible_gpus():
        names = [variant.name for variant in experiment.variants]
        stated_gpu(names, experiment.base.architecture.width)  # refused now, not after what is measured
        progress.note("no GPU is here: networks' rates on one are stated, not measured")
        smallest = _largest_first(experiment, wanted.corpus.labels)[-1]
        experiment = compare_request(wanted.preset, wanted.patch, [smallest])
    place = open_place(work)
    with tempfile.TemporaryDirectory(prefix="earmark-plan-") as folder:
        sample = make_sample(Path(folder, "sample"), wanted.corpus.seconds, _sources(wanted.data))
        store = open_store(place.environment()["EARMARK_STORE"])
        rates = measure(wanted.corpus, experiment, sample, store, progress)
        progress.note(f"a run of {CLIPS} clips and {PROBE_STEPS} steps")
        return _with_fixed(rates, sample, wanted, experiment, Path(folder, "work"))


def _with_fixed(rates: Rates, sample: Sample, wanted: Wanted, experiment: Experiment, work: Path) -> Rates:
    """The rates with what steps take of anything: a run of a few clips and steps, less what the rates say of those."""
    corpus = Corpus(CLIPS, sample.seconds / CLIPS, LABELS, single_label=True)
    patch = _in_small(wanted.patch, rates.batch_size)
    for network in _largest_first(experiment, wanted.corpus.labels):
        small = compare_request(wanted.preset, patch, [network])
        planned = estimate(corpus, small, rates, Cluster(rates.cores, gpus=min(1, visible_gpus())))
        if planned.seconds <= MOST_PROBE_SECONDS:  # else a smaller one, and at last the smallest whatever it takes
            break
    request = ask_compare(str(sample.folder), wanted.preset, [network], patch, "plan")
    own = {"EARMARK_STORE": str(work / "store"), "MLFLOW_TRACKING_URI": f"sqlite:///{work / 'mlflow.db'}"}
    # Nobody is told of this run.
    with changed_environment(**own, EARMARK_FEATURE_PODS="1", EARMARK_WEBHOOK_URL=""):
        place = open_place(work)
        began = time.monotonic()
        run_pipeline(place, "compare", request.run, {**request.arguments, "run": request.run}, _Quiet())
        took = time.monotonic() - began
    store = open_store(own["EARMARK_STORE"])
    fixed: dict[Step, float] = {}
    for row in planned.rows:
        title = {"extract_part": "extract_part.1"}.get(row.title, row.title)
        fixed[row.step] = max(0.0, spent(store, request.run, title).seconds - row.seconds)
    start = (took - spent(store, request.run).seconds) / processes(planned.rows)
    return rates.model_copy(update={"step_seconds": fixed, "start_seconds": max(0.0, start)})


def _in_small(patch: Mapping[str, Any], batch_size: int) -> dict[str, Any]:
    """The config's patch without what is said of the real data's labels and splits, for a few steps."""
    kept = {name: value for name, value in patch.items() if name not in ("data", "gate")}
    train: dict[str, Any] = {"steps": PROBE_STEPS, "batch_size": batch_size, "micro_batch_size": None}
    train |= {"labels": None, "clip_share": 1.0, "clips_per_label": None}
    return merge(kept, {"data": SHARES, "train": train, "evaluate": {"labels": None}})


def _largest_first(experiment: Experiment, labels: int) -> list[str]:
    """Networks by their multiplies."""
    sizes = {each.name: network_size(experiment.variant(each.name), labels) for each in experiment.variants}
    return sorted(sizes, key=lambda name: -sizes[name].multiplies)


class _Quiet:
    """A watcher of a run that nobody sees."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was shown."""


def _sources(data: str | None) -> list[bytes]:
    """The first clips of a data set, as files.

    Raises:
        UserError: it has too few, or they are too long to try.
    """
    if data is None:
        return []
    from earmark.catalog.root import open_root

    root = open_root(absolute(data))
    first = list(root.audio.values())[:CLIPS]
    if len(first) < CLIPS or sum(info.size for info in first) > MOST_SAMPLE_BYTES:
        raise UserError(
            f"--data {data}: {CLIPS} clips of at most {size(MOST_SAMPLE_BYTES)} together are tried, and its first "
            f"{len(first)} have {size(sum(info.size for info in first))}: leave --data out to try made-up ones"
        )
    return [root.store.get(info.key) for info in first]


def _as_json(plan: Plan, prices: Prices, experiment: Experiment) -> dict[str, Any]:
    rows = [
        {
            "step": row.step,
            "network": row.network or None,
            "seconds": row.seconds,
            "parts": dict(row.parts),
            "pods": row.pods,
            "cores": row.cores,
            "gpus": row.gpus,
            "core_hours": row.core_hours,
            "gpu_hours": row.gpu_hours,
            "memory_bytes": row.memory,
            "written_bytes": row.written,
            "objects": row.objects,
            "requests": row.requests._asdict(),
            **({"cost": prices.of(row)} if prices.known else {}),
        }
        for row in plan.rows
    ]
    sizes = plan.sizes
    told: dict[str, Any] = {
        "corpus": asdict(plan.corpus),
        "hours_of_sound": plan.corpus.clips * plan.corpus.seconds / 3600,
        "patches": sizes.patches,
        "frame_bytes": sizes.frame_bytes,
        "clips": {"train": sizes.train_clips, "validation": sizes.validation_clips, "test": sizes.test_clips},
        "cluster": asdict(plan.cluster),
        "steps": rows,
        "starting_seconds": plan.starting,
        "seconds": plan.seconds,
        "written_bytes": plan.written,
        "requests": plan.requests._asdict(),
        "told": bottleneck(plan, experiment),
        "rates": plan.rates.model_dump(),
    }
    if prices.known:
        told["cost"] = sum(prices.of(row) for row in plan.rows)
    if (month := prices.month(plan)) is not None:
        told["cost_a_month"] = month
    rounded_: dict[str, Any] = rounded({**told, "steps": None})
    return {**rounded_, "steps": [rounded(row) for row in rows]}


def _print(plan: Plan, prices: Prices, experiment: Experiment) -> None:
    columns = ["step", "time", "mostly", "core-hours", "GPU-hours", "memory", "written", "writes", "reads"]
    rows = [
        [
            row.title + (f" ×{row.pods}" if row.pods > 1 else ""),
            duration(row.seconds),
            max(row.parts, key=lambda name, row=row: row.parts[name]),  # type: ignore[misc]
            hours(row.core_hours),
            hours(row.gpu_hours) if row.gpus else "–",
            size(row.memory),
            size(row.written),
            number(row.requests.writes),
            number(row.requests.reads),
        ]
        for row in plan.rows
    ]
    total = [
        "in all",
        duration(plan.seconds),
        "",
        hours(sum(row.core_hours for row in plan.rows)),
        hours(sum(row.gpu_hours for row in plan.rows)) if plan.cluster.gpus else "–",
        size(max(row.memory for row in plan.rows)),
        size(plan.written),
        number(plan.requests.writes),
        number(plan.requests.reads),
    ]
    if prices.known:
        columns.append("cost")
        costs = [prices.of(row) for row in plan.rows]
        for row, cost in zip([*rows, total], [*costs, sum(costs)], strict=True):
            row.append(f"{cost:,.2f}")
    corpus, sizes = plan.corpus, plan.sizes
    title = (
        f"{corpus.clips:,} clips of {corpus.seconds:g} s ({corpus.clips * corpus.seconds / 3600:,.0f} hours), "
        f"{corpus.labels:,} labels: {number(sizes.patches)} patches, {size(sizes.frame_bytes)} of frames"
    )
    print_table(title, columns, [*rows, total])
    for line in bottleneck(plan, experiment):
        print(line)
    if (month := prices.month(plan)) is not None:
        print(f"What is stored costs {month:,.2f} a month.")
    print(f"Rates: {plan.rates.source}.")
