"""Rates of this machine, by the product's own code on a few clips: about twenty seconds for two small networks.

What a single clip costs is the difference between many and few clips, so that what a step takes of anything is not in
it; each is the best of several rounds, so that other work on the machine is in it as little as may be.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from earmark.catalog import Dataset, assemble_dataset, build_catalog, list_clips
from earmark.config import Config, DataConfig, Experiment
from earmark.features import MEL_BANDS, extract_features
from earmark.features.isolated import cores
from earmark.planning.probe_networks import ROUNDS, SILENT, Clock, batch_of, best, network_rates
from earmark.planning.rates import Rates
from earmark.planning.sample import Sample, make_tiny_clips
from earmark.planning.sizes import Corpus
from earmark.progress import Progress
from earmark.store import Store, open_store
from earmark.training.batches import eligible

FEW_CLIPS = 8
"""Clips of the sample that are decoded once more by themselves, for the difference."""
MANY_ROWS, FEW_ROWS = 640, 40
"""Clips of a tenth of a second, for what a clip costs as a row."""
LONG_SECONDS = 1000.0
"""Of sound: more is decoded once."""
STORE_BYTES = 32_000_000
SCORED_CLIPS, SCORED_LABELS = 4000, 16


def measure(
    corpus: Corpus,
    experiment: Experiment,
    sample: Sample,
    store: Store,
    progress: Progress,
) -> Rates:
    """The rates of this machine for the networks of an experiment, but for what a step takes of anything.

    Args:
        corpus: its clips' length and number of labels are measured with.
        experiment: its networks, their width and batch.
        sample: clips to decode.
        store: whose rate counts.
        progress: told of each measurement.
    """
    done = 0

    def told(what: str) -> None:
        nonlocal done
        progress.update(done, 4 + len(experiment.variants), "rates", now=what)
        done += 1

    base = experiment.base.model_copy(update={"data": DataConfig()})  # the sample's own labels and splits
    with tempfile.TemporaryDirectory(prefix="earmark-plan-") as name:
        folder = Path(name)
        told("rows")
        found = _row_rates(folder, base)
        told("decoding")
        found |= _sound_rates(folder, sample, base)
        told("store")
        found |= _store_rates(store)
        told("metrics")
        found |= _metric_rates()
        networks = {}
        dataset = _dataset(folder / "open", sample.folder, base, corpus)
        found |= {"scan_bytes_per_second": _scan_rate(dataset, base), "sounding_share": _sounding_share(dataset, base)}
        for variant in experiment.variants:
            told(variant.name)
            networks[variant.name] = network_rates(dataset, experiment.variant(variant.name), corpus)
    progress.update(done, done, "rates")
    first = experiment.variant(experiment.variants[0].name)
    return Rates(
        source=_machine(),
        cores=cores(),
        gpu=_gpu(),
        width=first.architecture.width,
        batch_size=batch_of(dataset, first),
        start_seconds=0.0,
        step_seconds={},
        encoded_bytes_per_second=sample.encoded_bytes_per_second,
        networks=networks,
        **found,
    )


def _row_rates(folder: Path, config: Config) -> dict[str, float]:
    """What clips cost as rows of tables, from clips too short to cost anything else."""
    times: dict[int, dict[str, float]] = {}
    for count in (FEW_ROWS, MANY_ROWS):
        make_tiny_clips(folder / f"rows-{count}", count)
    for round_ in range(2):  # the first loads what the steps import
        for count in (FEW_ROWS, MANY_ROWS):
            took = _steps_on(folder / f"rows-{count}", folder / f"kept-{count}-{round_}", config)
            times[count] = {step: min(took[step], times.get(count, took)[step]) for step in took}
    each = {
        step: max(1e-9, times[MANY_ROWS][step] - times[FEW_ROWS][step]) / (MANY_ROWS - FEW_ROWS)
        for step in times[MANY_ROWS]
    }
    return {
        "catalog_clips_per_second": 1 / each["catalog"],
        "extract_clips_per_second": 1 / each["extract"] / cores(),
        "join_clips_per_second": 1 / each["join"],
        "assemble_clips_per_second": 1 / each["assemble"],
        "open_clips_per_second": 1 / each["open"],
    }


def _steps_on(data: Path, kept: Path, config: Config) -> dict[str, float]:
    """Seconds of the first steps on a folder of clips."""
    store, took = open_store(str(kept)), {}

    def timed(step: str, work: Callable[[], Any], clock: Clock = time.process_time) -> Any:
        began = clock()
        value = work()
        took[step] = clock() - began
        return value

    build = partial(build_catalog, store, str(data), config.data, SILENT)
    catalog = timed("catalog", build, time.perf_counter)  # headers are read by other processes
    extract = partial(extract_features, store, catalog, config.features, config.data, SILENT)
    timed("extract", extract, time.perf_counter)  # and so are sounds
    # Another level of silence is another result of the same features: what is left is the joining.
    other = config.data.model_copy(update={"silence_dbfs": config.data.silence_dbfs - 1.0})
    patches = timed("join", lambda: extract_features(store, catalog, config.features, other, SILENT))
    dataset = timed("assemble", lambda: assemble_dataset(store, catalog, patches, config.data, SILENT))
    timed("open", lambda: [Dataset.open(store, dataset, patches).clips(split) for split in ("train", "test")])
    return took


def _sound_rates(folder: Path, sample: Sample, config: Config) -> dict[str, float]:
    """Seconds of sound a second of one core: all clips, less a few of them."""
    few = folder / "few"
    few.mkdir()
    names = sorted(path.name for path in sample.folder.iterdir() if path.suffix != ".csv")
    for name in names[:FEW_CLIPS]:
        shutil.copy(sample.folder / name, few)
    found: dict[Path, tuple[float, float]] = {}
    for round_ in range(ROUNDS if sample.seconds < LONG_SECONDS else 1):
        for data in (few, sample.folder):
            store = open_store(str(folder / f"{data.name}-{round_}"))
            catalog = list_clips(store, str(data), SILENT)
            began = time.perf_counter()
            made = extract_features(store, catalog, config.features, config.data, SILENT)
            took = time.perf_counter() - began
            found[data] = min(found.get(data, (took, 0.0))[0], took), made.facts["seconds"]
    seconds = found[sample.folder][1] - found[few][1]
    took = max(1e-6, found[sample.folder][0] - found[few][0])
    return {"extract_x_real_time": seconds / took / cores()}


def _store_rates(store: Store) -> dict[str, float]:
    """Bytes a second of one shard written and read back, and of its sha256."""
    key, data = f"plan/{uuid.uuid4().hex}", np.random.default_rng(0).bytes(STORE_BYTES)

    def there_and_back() -> None:
        store.put(key, data)
        store.get(key)

    try:
        moved = best(there_and_back, ROUNDS)
    finally:
        store.delete(key)
    hashed = best(lambda: hashlib.sha256(data).digest(), ROUNDS, time.process_time)
    return {"store_bytes_per_second": 2 * STORE_BYTES / moved, "hash_bytes_per_second": STORE_BYTES / hashed}


def _metric_rates() -> dict[str, float]:
    """The bootstrap, and all other metrics and calibration, by scores."""
    from earmark.config import CalibrationConfig
    from earmark.evaluation.trust import Scored, fit
    from earmark.metrics import bootstrap, score

    rng = np.random.default_rng(0)
    targets_NC = (rng.random((SCORED_CLIPS, SCORED_LABELS)) < 0.1).astype(np.float32)
    scores_NC = (0.3 * targets_NC + 0.7 * rng.random(targets_NC.shape)).astype(np.float32)
    groups = [f"{number}" for number in range(SCORED_CLIPS)]
    part, resamples = Scored(targets_NC, scores_NC, groups), 200

    def others() -> None:
        score(targets_NC, scores_NC)
        fit(part, part, "sigmoid", CalibrationConfig())

    drawn = best(
        lambda: bootstrap(targets_NC, scores_NC, groups=groups, resamples=resamples), ROUNDS, time.process_time
    )
    # The fit is of two parts.
    scored = best(others, ROUNDS) / 2
    return {
        "bootstrap_draws_per_second": resamples * targets_NC.size / drawn,
        "metrics_scores_per_second": targets_NC.size / scored,
    }


def _dataset(folder: Path, data: Path, config: Config, corpus: Corpus) -> Dataset:
    """The sample's clips with as many labels as the corpus has: the last layer's size counts."""
    store = open_store(str(folder))
    catalog = build_catalog(store, str(data), config.data, SILENT)
    patches = extract_features(store, catalog, config.features, config.data, SILENT)
    made = assemble_dataset(store, catalog, patches, config.data, SILENT)
    opened = Dataset.open(store, made, patches)
    names = [*opened.labels, *(f"made up {number}" for number in range(corpus.labels))][: max(2, corpus.labels)]
    if len(names) < len(opened.labels):
        opened = opened.narrowed(len(names))
    wider = opened._with(opened._table, [{"name": name, "id": name} for name in names])
    wider.single_label = corpus.single_label
    return wider


def _scan_rate(dataset: Dataset, config: Config) -> float:
    """Stored bytes a second that are searched for silence, and their patches counted."""
    config = config.model_copy(update={"train": config.train.model_copy(update={"max_silent_share": 0.5})})
    clips = dataset.clips("train")
    size = sum(clip.rows for clip in clips) * MEL_BANDS
    return size / best(lambda: eligible(dataset, config), ROUNDS, time.process_time)


def _sounding_share(dataset: Dataset, config: Config) -> float:
    """Of the clips' patches as they are scored, those with sound."""
    from earmark.evaluation.windows import window_starts

    found = total = 0
    for clip in (clip for split in ("train", "validation", "test") for clip in dataset.clips(split)):
        frames_TF = dataset.frames.clip(clip.shard, clip.first_row, clip.rows)
        hop = config.evaluate.hop_seconds
        found += len(window_starts(frames_TF, config.features, hop, config.evaluate.max_silent_share))
        total += len(window_starts(frames_TF, config.features, hop))
    return found / total


def _machine() -> str:
    import platform

    import torch

    what = _gpu() or platform.processor() or platform.machine()
    return f"measured on this machine: {what}, {cores()} cores, torch {torch.__version__}"


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
