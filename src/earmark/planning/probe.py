"""Rates of this machine, by the product's own code on a few clips: about twenty seconds for two small networks.

What a single clip costs is the difference between many and few clips, so that what a step takes of anything is not in
it; each is the best of several rounds, so that other work on the machine is in it as little as may be.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.catalog import Dataset, assemble_dataset, build_catalog, list_clips
from earmark.config import Config, DataConfig, Experiment
from earmark.features import MEL_BANDS, PATCH_FRAMES, SAMPLE_RATE, extract_features
from earmark.planning.rates import NetworkRates, Rates
from earmark.planning.sizes import Corpus
from earmark.progress import Progress
from earmark.store import Store, open_store

if TYPE_CHECKING:
    from earmark.training.loop import Trainer

CLIPS, FEW_CLIPS, LABELS = 40, 8, 4
"""Clips that are decoded, the few of the difference, and their labels."""
SPLITS = ("train", "train", "train", "validation", "test")
SHARES = {"test_share": 0.2, "validation_share": 0.25}
"""What these are in the config of data that names no splits."""
MANY_ROWS, FEW_ROWS = 640, 40
"""Clips of a tenth of a second, for what a clip costs as a row."""
LONGEST_SECONDS = 10.0
ROUNDS = 3
LONG_SECONDS = 1000.0
"""Of sound: more is decoded once."""
WARM_STEPS, LEAST_SECONDS = 2, 1.5
STORE_BYTES = 32_000_000
SCORED_CLIPS, SCORED_LABELS = 4000, 16
SILENT = Progress("plan", mode="off")

Clock = Callable[[], float]


@dataclass(frozen=True)
class Sample:
    """A few clips with made-up labels."""

    folder: Path
    seconds: float
    """Of all."""
    encoded_bytes_per_second: float


def make_sample(folder: Path, seconds: float, sources: Sequence[bytes] = ()) -> Sample:
    """A data set for the probe: the given files, or Ogg Vorbis of noise and tones.

    Args:
        folder: to make.
        seconds: of each made-up clip, ten at most.
        sources: encoded files to take in their place.
    """
    import soundfile

    from earmark.features.decode import decode

    folder.mkdir(parents=True)
    rng, length = np.random.default_rng(0), min(seconds, LONGEST_SECONDS)
    total = 0.0
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label", "split"))
        for number in range(len(sources) or CLIPS):
            name = f"{number:04d}{_suffix(sources[number]) if sources else '.ogg'}"
            if sources:
                (folder / name).write_bytes(sources[number])
                sound = decode(sources[number])
                total += len(sound.samples_NC) / sound.rate
            else:
                soundfile.write(folder / name, _sound(rng, length), 44_100, format="OGG", subtype="VORBIS")
                total += length
            split = SPLITS[number // LABELS % len(SPLITS)]
            table.writerow((name, f"label{number % LABELS}", split))
    encoded = sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".csv")
    return Sample(folder, total, encoded / total)


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
            networks[variant.name] = _network_rates(dataset, experiment.variant(variant.name), corpus)
    progress.update(done, done, "rates")
    first = experiment.variant(experiment.variants[0].name)
    return Rates(
        source=_machine(),
        cores=_cores(),
        gpu=_gpu(),
        width=first.architecture.width,
        batch_size=min(first.train.batch_size, _eligible(dataset, first)),
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
        _tiny_clips(folder / f"rows-{count}", count)
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
        "extract_clips_per_second": 1 / each["extract"] / _cores(),
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
    best: dict[Path, tuple[float, float]] = {}
    for round_ in range(ROUNDS if sample.seconds < LONG_SECONDS else 1):
        for data in (few, sample.folder):
            store = open_store(str(folder / f"{data.name}-{round_}"))
            catalog = list_clips(store, str(data), SILENT)
            began = time.perf_counter()
            made = extract_features(store, catalog, config.features, config.data, SILENT)
            took = time.perf_counter() - began
            best[data] = min(best.get(data, (took, 0.0))[0], took), made.facts["seconds"]
    seconds = best[sample.folder][1] - best[few][1]
    took = max(1e-6, best[sample.folder][0] - best[few][0])
    return {"extract_x_real_time": seconds / took / _cores()}


def _store_rates(store: Store) -> dict[str, float]:
    """Bytes a second of one shard written and read back, and of its sha256."""
    key, data = f"plan/{uuid.uuid4().hex}", np.random.default_rng(0).bytes(STORE_BYTES)

    def there_and_back() -> None:
        store.put(key, data)
        store.get(key)

    try:
        moved = _best(there_and_back, ROUNDS)
    finally:
        store.delete(key)
    hashed = _best(lambda: hashlib.sha256(data).digest(), ROUNDS, time.process_time)
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

    drawn = _best(
        lambda: bootstrap(targets_NC, scores_NC, groups=groups, resamples=resamples), ROUNDS, time.process_time
    )
    # The fit is of two parts.
    scored = _best(others, ROUNDS) / 2
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
    from earmark.training.batches import eligible

    config = config.model_copy(update={"train": config.train.model_copy(update={"max_silent_share": 0.5})})
    clips = dataset.clips("train")
    size = sum(clip.rows for clip in clips) * MEL_BANDS
    return size / _best(lambda: eligible(dataset, config), ROUNDS, time.process_time)


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


def _network_rates(dataset: Dataset, config: Config, corpus: Corpus) -> NetworkRates:
    """Training steps, validation and evaluation of one network."""
    import torch

    from earmark.training.batches import Ahead
    from earmark.training.checkpoint import Checkpoints
    from earmark.training.loop import Trainer
    from earmark.training.precision import faster_precision

    train = config.train
    size = min(train.batch_size, _eligible(dataset, config))
    plain = {"steps": 10**6, "epochs": None, "minutes": None, "batch_size": size, "micro_batch_size": None}
    config = config.model_copy(update={"train": train.model_copy(update=plain)})
    with tempfile.TemporaryDirectory(prefix="earmark-plan-") as folder:
        checkpoints = Checkpoints(open_store(folder), "probe", 1, SILENT.note)
        trainer = Trainer(dataset, config, checkpoints, SILENT, lambda *_: None)
    if trainer.precision == "auto":
        trainer.precision = faster_precision(trainer.network, trainer.device, partial(_backward, trainer))
    trainer.network.train()
    trainer.watch.begin(trainer.steps)
    times: list[float] = []
    ahead = Ahead(trainer.batches, pin=trainer.device.type == "cuda")
    started = time.perf_counter()
    for batch in ahead(0, 10**6):
        began = time.perf_counter()
        trainer.train_step(batch)
        _wait(trainer)
        times.append(time.perf_counter() - began)
        enough = time.perf_counter() - started >= LEAST_SECONDS
        if len(times) >= WARM_STEPS + 2 and (enough or len(times) >= 100):
            break
    x_PTF = torch.zeros(128, PATCH_FRAMES, MEL_BANDS, dtype=torch.uint8)

    def predict() -> None:
        trainer.predict(x_PTF)
        _wait(trainer)

    predicted = _best(predict, 2)
    windows, scored = _scored(trainer, dataset, config, corpus)
    return NetworkRates(
        train=size / float(np.median(times[WARM_STEPS:])), predict=128 / predicted, score=windows / scored
    )


def _scored(trainer: Trainer, dataset: Dataset, config: Config, corpus: Corpus) -> tuple[int, float]:
    """Windows of a clip, of up to sixteen seconds, and what scoring it takes."""
    from earmark.evaluation.model import Model, score_clip

    network = trainer.network.eval()
    model = Model(network, tuple(dataset.labels), config.features, config.evaluate, {}, trainer.objective.output)
    rows = max(PATCH_FRAMES, int(min(corpus.seconds, 16.0) * SAMPLE_RATE / 160))
    frames_TF = np.random.default_rng(0).integers(60, 200, (rows, MEL_BANDS)).astype(config.features.storage)
    windows = len(score_clip(model, frames_TF).patch_scores_PC)
    return windows, _best(lambda: score_clip(model, frames_TF), ROUNDS)


def _backward(trainer: Trainer, network: Any, precision: str, size: int) -> None:
    import torch

    x_BTF = torch.zeros(size, PATCH_FRAMES, MEL_BANDS, device=trainer.device)
    y_BC = torch.zeros(size, len(trainer.labels), device=trainer.device)
    trainer.forward_backward_step(network, precision, x_BTF, y_BC)


def _wait(trainer: Trainer) -> None:
    import torch

    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)


def _eligible(dataset: Dataset, config: Config) -> int:
    from earmark.training.batches import eligible

    return len(eligible(dataset, config))


def _best(work: Callable[[], Any], rounds: int, clock: Clock = time.perf_counter) -> float:
    """Seconds of the fastest of so many rounds, after one that is not counted.

    By processor time what one thread does alone, by wall time what several threads or the disk do.
    """
    work()
    times = []
    for _ in range(rounds):
        began = clock()
        work()
        times.append(clock() - began)
    return min(times)


def _tiny_clips(folder: Path, count: int) -> None:
    import soundfile

    folder.mkdir()
    rng = np.random.default_rng(count)
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label"))
        for number in range(count):
            samples_N = rng.normal(0, 0.1, SAMPLE_RATE // 10).clip(-1, 1)
            soundfile.write(folder / f"{number:06d}.wav", samples_N, SAMPLE_RATE, subtype="PCM_16")
            table.writerow((f"{number:06d}.wav", f"label{number % LABELS}"))


def _sound(rng: np.random.Generator, seconds: float) -> Any:
    """Noise and a tone, at 44.1 kHz: what an encoder spends about as many bytes on as on sounds of nature."""
    time_N = np.arange(int(seconds * 44_100)) / 44_100
    tone_N = 0.3 * np.sin(2 * np.pi * rng.uniform(200, 4000) * time_N)
    return (tone_N + rng.normal(0, 0.1, len(time_N))).clip(-1, 1).astype(np.float32)


def _suffix(data: bytes) -> str:
    heads = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg"}
    return heads.get(data[:4], ".mp3")


def _machine() -> str:
    import platform

    import torch

    what = _gpu() or platform.processor() or platform.machine()
    return f"measured on this machine: {what}, {_cores()} cores, torch {torch.__version__}"


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
