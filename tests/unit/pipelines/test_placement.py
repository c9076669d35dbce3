"""Tasks of a graph placed on this machine and on a cluster."""

import pytest
from kfp import dsl

from earmark.components.images import STEPS_IMAGE
from earmark.errors import UserError
from earmark.pipelines.cluster import Cluster
from earmark.pipelines.graphs import build
from earmark.pipelines.placement import place, placed_on, side_by_side


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def say(word: str) -> str:
    """Say a word."""
    return word


def trace(graph, cluster=None):
    """The graph's tasks, and what the first of them runs in."""
    with placed_on(cluster) as target:
        spec = dsl.pipeline(name="said")(graph(target)).pipeline_spec
    return spec.root.dag.tasks, next(iter(spec.deployment_spec["executors"].values()))


def chain(target):
    def said(word: str):
        target.first = place(say(word=word), "data")
        second = place(say(word=word), "data")
        place(say(word=second.output), "data")

    return said


@pytest.mark.parametrize("cluster", [None, Cluster()])
def test_what_reads_nothing_of_another_waits_for_the_first(cluster):
    tasks, _ = trace(chain, cluster)
    assert {name: list(task.dependent_tasks) for name, task in tasks.items()} == {
        "say": [],
        "say-2": ["say"],
        "say-3": ["say-2"],
    }


def test_on_this_machine_a_step_is_tried_again_at_once_and_nothing_else_is_set():
    tasks, executor = trace(chain)
    policy = tasks["say"].retry_policy
    assert (policy.max_retry_count, policy.backoff_duration.seconds) == (2, 0)
    assert executor["container"]["image"] == STEPS_IMAGE
    assert not {"env", "resources"} & set(executor["container"])


def test_a_profile_of_a_cluster_reaches_the_step():
    given = {"cpu": "2", "memory": "3Gi", "gpus": 4, "gpu_type": "nvidia.com/mig-1g.10gb", "price_per_hour": 0.25}
    images = {"steps": "registry.example/steps@sha256:0", "train": "registry.example/train:2"}
    cluster = Cluster.model_validate({"images": images, "profiles": {"data": given, "features": {"pods": 5}}})
    _, executor = trace(chain, cluster)
    container = executor["container"]
    assert container["image"] == "registry.example/steps@sha256:0"
    assert container["resources"]["accelerator"]["resourceType"] == "nvidia.com/mig-1g.10gb"
    assert container["resources"]["accelerator"]["resourceCount"] == "4"
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables == {
        **cluster.environment,
        "EARMARK_STORE": "s3://earmark/store",
        "EARMARK_GPUS": "4",
        "EARMARK_FEATURE_PODS": "5",
        "EARMARK_PRICE_PER_HOUR": "0.25",
    }


def test_a_wrong_stage_is_named_with_the_nearest():
    def graph(_):
        def said(word: str):
            place(say(word=word), "dta")

        return said

    with pytest.raises(UserError, match="unknown stage 'dta'; did you mean 'data'"):
        trace(graph, Cluster())


def test_one_after_another_unless_a_cluster_says_otherwise():
    cluster = Cluster.model_validate({"profiles": {"train": {"pods": 3}}})
    assert side_by_side("train") == 1
    with placed_on(cluster):
        assert (side_by_side("train"), side_by_side("features")) == (3, 1)
    with placed_on(None):
        assert side_by_side("train") == 1
    with pytest.raises(ZeroDivisionError), placed_on(cluster):
        raise ZeroDivisionError
    assert side_by_side("train") == 1


def test_an_unknown_pipeline_is_named_with_the_nearest():
    with pytest.raises(UserError, match="unknown pipeline 'compar'; did you mean 'compare'"):
        build("compar")
