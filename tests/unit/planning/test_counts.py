"""What a small run asks of its store and leaves there, against what was planned for it."""

import signal
from types import SimpleNamespace

import pytest
from counted_store import Counted
from made_rates import RATES as MADE

from earmark.architectures import compare_request
from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.build_catalog import build_catalog
from earmark.components.compare_models import compare_models
from earmark.components.evaluate_model import evaluate_model
from earmark.components.extract_features import extract_features
from earmark.components.extract_part import extract_part
from earmark.components.train_model import train_model
from earmark.planning import Cluster, Corpus, estimate
from earmark.store import open_store
from earmark.training import worker

SHARD_BYTES = 150_000
RATES = MADE.model_copy(update={"width": 0.02})
PODS = 2
CLIPS, TEST_CLIPS, VALIDATION_CLIPS = 36, 12, 3
FOLDERS = {
    "extract_part": ("features/", "results/extract_features/"),
    "train_model": ("results/train_model/",),
    "evaluate_model": ("results/evaluate_model/",),
    "compare_models": ("results/compare_models/",),
}
PATCH = {
    "architecture": {"width": 0.02},
    "train": {"steps": 3, "batch_size": 16, "precision": "fp32"},
    "data": {"test_share": TEST_CLIPS / CLIPS, "validation_share": VALIDATION_CLIPS / (CLIPS - TEST_CLIPS)},
}


@pytest.fixture(scope="module")
def ran(three_labels, tmp_path_factory):
    """``compare`` of one network in this process: requests of each step, and the store."""
    folder = tmp_path_factory.mktemp("planned")
    experiment = compare_request("quick", PATCH, ["fully_connected"])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_STORE", str(folder / "store"))
        patch.setenv("EARMARK_FEATURE_PODS", str(PODS))
        patch.setenv("EARMARK_PROGRESS", "off")
        patch.setattr("earmark.features.shards.SHARD_BYTES", SHARD_BYTES)
        patch.setattr("earmark.planning.sizes.SHARD_BYTES", SHARD_BYTES)
        patch.setattr("earmark.training.train.supervise", _train_here)
        counted = Counted(patch)
        _run(counted, folder, str(three_labels), experiment)
        plan = estimate(Corpus(CLIPS, 5.0, 3, single_label=True), experiment, RATES, Cluster(2, PODS))
        shards = plan.sizes.shards_of(PODS)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    store = open_store(str(folder / "store"))
    return SimpleNamespace(plan=plan, shards=shards, requests=dict(counted.found), store=store)


def _train_here(job, progress):
    """The worker's training without a process of its own and without MLflow."""
    return worker._train(job, progress, SimpleNamespace(log=lambda *_: None, tag=lambda _: None)), 0


def _run(counted, folder, data, experiment):
    asked = {"experiment": experiment.to_json(), "run": "compare-1"}

    def artifact(name):
        return SimpleNamespace(path=str(folder / name), metadata={}, log_metric=_nothing, log_confusion_matrix=_nothing)

    def done(step, component, *outputs, **arguments):
        counted.step = step
        made = {name: artifact(f"{step}-{name}-{arguments.get('part', '1')[0]}") for name in outputs}
        component.python_func(**arguments, **made)
        return next(iter(made.values()))

    catalog = done("build_catalog", build_catalog, "catalog", data=data, **asked)
    parts = [
        done("extract_part", extract_part, "extracted", catalog=catalog, part=f"{n}/{PODS}", **asked)
        for n in range(1, PODS + 1)
    ]
    patches = done("extract_features", extract_features, "patches", catalog=catalog, parts=parts, **asked)
    dataset = done("assemble_dataset", assemble_dataset, "dataset", catalog=catalog, patches=patches, **asked)
    one = {"variant": "fully_connected", "dataset": dataset, "patches": patches, **asked}
    checkpoint = done("train_model", train_model, "checkpoint", **one)
    metrics = done("evaluate_model", evaluate_model, "metrics", "scores", "confusion", checkpoint=checkpoint, **one)
    found = {"catalog": catalog, "patches": patches, "dataset": dataset}
    done(
        "compare_models",
        compare_models,
        "comparison",
        "report",
        metrics=[metrics],
        checkpoints=[checkpoint],
        **found,
        **asked,
    )


def _nothing(*_):
    pass


def test_requests_are_those_that_were_planned(ran):
    for row in ran.plan.rows:
        if row.step in ran.requests:  # MLflow's steps ran not
            found = ran.requests[row.step]
            assert row.requests.writes == pytest.approx(found.writes, abs=1), row.step
            assert row.requests.reads == pytest.approx(found.reads, rel=0.1), row.step
    assert len(ran.requests) == 7


def test_bytes_and_objects_are_those_that_were_planned(ran):
    steps = [row for row in ran.plan.rows if row.step in ran.requests]
    stored = list(ran.store.list())
    assert sum(row.written for row in steps) == pytest.approx(sum(info.size for info in stored), rel=0.25)
    assert sum(row.objects for row in steps) == len(stored)
    for step, folders in FOLDERS.items():
        found = sum(info.size for info in stored if info.key.startswith(folders))
        row = next(row for row in steps if row.step == step)
        assert row.written == pytest.approx(found, rel=0.25), step


def test_frames_are_stored_to_the_byte(ran):
    frames = [info.size for info in ran.store.list("features/") if info.key.endswith(".frames")]
    assert (ran.plan.sizes.frame_bytes, ran.shards) == (sum(frames), len(frames))
