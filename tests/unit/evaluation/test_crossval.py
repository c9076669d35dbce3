"""The step pool_models: what is whole is pooled, what is not is named and never printed as if it were."""

import csv
import shutil

import pytest
import soundfile

from earmark.catalog import assemble_dataset, build_catalog
from earmark.config import Experiment, Variant
from earmark.errors import EarmarkError
from earmark.evaluation import check_none_failed, evaluate_model, pool_models
from earmark.evaluation.repeat import crossval_command
from earmark.features import extract_features
from earmark.store import Manifest
from earmark.store.tables import read_table

from .conftest import QUIET, checkpoint_of


@pytest.fixture(scope="module")
def seeds(experiment):
    """Two networks with two seeds each on the given split."""
    variants = [
        Variant(name=f"{v.name}.seed-{seed}", patch={**v.patch, "seed": seed})
        for v in experiment.variants
        for seed in (0, 1)
    ]
    return Experiment(base=experiment.base, variants=tuple(variants))


@pytest.fixture(scope="module")
def made(chain, seeds):
    """Checkpoints and evaluations of all variants."""
    configs = {v.name: seeds.variant(v.name) for v in seeds.variants}
    trained = {name: checkpoint_of(chain, config, name, config.seed) for name, config in configs.items()}
    inputs = chain.dataset, chain.patches
    scored = {name: evaluate_model(chain.store, c, *inputs, configs[name], QUIET) for name, c in trained.items()}
    return trained, scored


@pytest.fixture(scope="module")
def pooled(chain, seeds, made):
    def call(scored=made[1], trained=made[0], wanted=seeds):
        datasets = [chain.dataset] * len(wanted.variants)
        return pool_models(
            chain.store, list(scored.values()), list(trained.values()), datasets, wanted, "crossval-1", QUIET
        )

    return call


def test_seeds_are_pooled_and_averaged(pooled, made):
    facts = pooled().facts
    assert facts["seeds"] == [0, 1]
    assert facts["moves"] is None
    assert facts["evaluated_clips"] == 12
    assert facts["patches_seen"] == 4 * 64
    for network in facts["networks"]:
        own = [made[1][f"{network['name']}.seed-{seed}"].facts["test"] for seed in (0, 1)]
        for name in ("map", "auc", "accuracy"):
            assert network["single"][name] == pytest.approx((own[0][name] + own[1][name]) / 2, abs=1e-6)
            assert network["ensemble"][name] is not None
    assert len(facts["chosen"]["models"]) == 2
    check_none_failed(pooled())


def test_a_network_with_a_model_missing_has_no_pooled_score(pooled, made, chain):
    failed = Manifest.failure("train_model", "alexnet.seed-1", "out of memory")
    result = pooled(made[1] | {"alexnet.seed-1": failed}, made[0] | {"alexnet.seed-1": failed})
    whole, torn = result.facts["networks"]
    assert whole["name"] == "fully_connected"
    assert whole["single"] is not None
    assert (torn["single"], torn["ensemble"], torn["missing"]) == (None, None, ["alexnet.seed-1"])
    assert result.facts["chosen"] is None
    page = result.files["report.html"].read(chain.store).decode()
    assert "out of memory" in page
    assert "no pooled score" in page
    with pytest.raises(EarmarkError, match=r"alexnet\.seed-1 failed: out of memory"):
        check_none_failed(result)


def test_where_every_model_failed_there_is_a_report(pooled, seeds, chain):
    failed = {v.name: Manifest.failure("train_model", v.name, "no memory") for v in seeds.variants}
    result = pooled(failed, failed)
    assert len(result.facts["failures"]) == 4
    assert "No network has a model" in result.files["report.html"].read(chain.store).decode()


def test_a_variant_of_which_nothing_is_known_is_missed(pooled, made):
    with pytest.raises(EarmarkError, match=r"alexnet\.seed-1 was neither evaluated nor reported"):
        pooled({name: m for name, m in made[1].items() if name != "alexnet.seed-1"})


def test_the_command_says_folds_and_seeds(seeds):
    told = crossval_command("/data", seeds, ["1", "2"], [0, 1])
    assert "--architectures fully_connected,alexnet " in told or "--architectures alexnet,fully_connected " in told
    assert told.endswith("--folds 1,2 --seeds 0,1")
    assert crossval_command("/data", seeds, [], [0]).endswith("--seeds 1")


@pytest.fixture(scope="module")
def doubled(three_labels, tmp_path_factory):
    """The 36 clips, one sound of fold 1 also in fold 2: as the same bytes, and another in another format."""
    folder = shutil.copytree(three_labels, tmp_path_factory.mktemp("data") / "doubled")
    with (folder / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    same, other = [row for row in rows if row["fold"] == "1"][:2]
    shutil.copy(folder / "audio" / same["filename"], folder / "audio" / "same.ogg")
    samples, rate = soundfile.read(folder / "audio" / other["filename"], dtype="int16")
    for name in ("other.wav", "other.flac"):
        soundfile.write(folder / "audio" / name, samples, rate, subtype="PCM_16")
    rows.append({**same, "filename": "same.ogg", "fold": "2", "group": "same"})
    rows.append({**other, "filename": "other.flac", "fold": "2", "group": "other"})
    other["filename"] = "other.wav"
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_a_sound_that_two_folds_have_is_a_test_clip_of_both(chain, experiment, doubled):
    base = experiment.base.model_copy(
        update={"data": experiment.base.data.model_copy(update={"max_rejected_share": 0.5})}
    )
    variants = [
        Variant(name=f"fc.fold-{f}", patch={"architecture": {"name": "fully_connected"}, "data": {"test_folds": [f]}})
        for f in ("1", "2", "3")
    ]
    wanted = Experiment(base=base, variants=tuple(variants))
    catalog = build_catalog(chain.store, str(doubled), base.data, QUIET)
    patches = extract_features(chain.store, catalog, base.features, base.data, QUIET)
    trained, scored, datasets = [], [], []
    for variant in wanted.variants:
        config = wanted.variant(variant.name)
        dataset = assemble_dataset(chain.store, catalog, patches, config.data, QUIET)
        trained.append(checkpoint_of(chain, config, variant.name))
        scored.append(evaluate_model(chain.store, trained[-1], dataset, patches, config, QUIET))
        datasets.append(dataset)
    rows = [read_table(d.files["dataset.parquet"].read(chain.store)).to_pylist() for d in datasets]
    # What makes this hard: no fold's dataset has all the clips that are tested in some fold.
    tested = [row["clip_id"] for own in rows for row in own if row["split"] == "test"]
    assert all(set(tested) - {row["clip_id"] for row in own} for own in rows)
    facts = pool_models(chain.store, scored, trained, datasets, wanted, "crossval-2", QUIET).facts
    assert facts["evaluated_clips"] == len(tested) == len(set(tested)) == 38
