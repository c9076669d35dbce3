"""The step pool_models: what is whole is pooled, what is not is named and never printed as if it were."""

import pytest

from earmark.config import Experiment, Variant
from earmark.errors import EarmarkError
from earmark.evaluation import check_none_failed, evaluate_model, pool_models
from earmark.evaluation.repeat import crossval_command
from earmark.store import Manifest

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
