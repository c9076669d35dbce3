"""Compiled graphs: what Kubeflow would receive."""

import re
from pathlib import Path

import pytest
import yaml
from kfp import compiler

from earmark.pipelines.compare import compare
from earmark.pipelines.crossval import crossval
from earmark.pipelines.embed import embed
from earmark.pipelines.evaluate import evaluate
from earmark.pipelines.retrain import retrain

GOLDEN = Path(__file__).parent / "golden"
PIPELINES = {"compare": compare, "crossval": crossval, "embed": embed, "evaluate": evaluate, "retrain": retrain}
STEPS = {"compare": 7, "crossval": 6, "embed": 3, "evaluate": 4, "retrain": 8}


@pytest.fixture(scope="module", params=sorted(PIPELINES))
def compiled(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("ir") / f"{request.param}.yaml"
    compiler.Compiler().compile(PIPELINES[request.param], str(path))
    return request.param, path.read_text()


@pytest.fixture(scope="module")
def spec(compiled):
    return next(yaml.safe_load_all(compiled[1]))


def normalised(spec):
    """The graph without the components' sources and the compiler's version, which change without changing it."""
    executors = {
        name: {"image": re.sub(r":[^:]+$", ":VERSION", e["container"]["image"])}
        for name, e in spec["deploymentSpec"]["executors"].items()
    }
    return {"components": spec["components"], "executors": executors, "root": spec["root"]}


def test_the_graph_is_the_one_that_was_last_agreed_on(compiled, spec):
    path = GOLDEN / f"{compiled[0]}.yaml"
    text = yaml.safe_dump(normalised(spec), sort_keys=True)
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path.name} was not there and has been written: read it, then run again")
    assert text == path.read_text(), f"the graph changed; if that was wanted, remove {path.name} and run again"


def test_nothing_is_installed_when_a_step_starts(compiled):
    assert "pip install" not in compiled[1]


def test_every_step_states_its_image(compiled, spec):
    executors = spec["deploymentSpec"]["executors"]
    assert len(executors) == STEPS[compiled[0]]
    for name, executor in executors.items():
        assert re.match(r"\S+/\S+:\S+$", executor["container"]["image"]), name
    train = {n for n, e in executors.items() if "-train:" in e["container"]["image"]}
    torch_users = {
        "exec-train-model",
        "exec-evaluate-model",
        "exec-evaluate-package",
        "exec-register-model",
        "exec-export-embeddings",
    }
    assert train == torch_users & set(executors)


def test_every_step_on_a_cluster_knows_the_kubeflow_run_that_it_is_of(compiled, spec):
    _, platform = yaml.safe_load_all(compiled[1])
    told = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert told.keys() == spec["deploymentSpec"]["executors"].keys()
    for executor in told.values():
        [field] = executor["fieldPathAsEnv"]
        assert field == {"name": "EARMARK_KFP_RUN_ID", "fieldPath": "metadata.labels['pipeline/runid']"}


def groups(spec):
    yield "root", spec["root"]
    for name, component in spec["components"].items():
        if "dag" in component:
            yield name, component


def test_no_group_reads_an_input_that_it_does_not_declare(spec):
    for name, group in groups(spec):
        declared = group.get("inputDefinitions", {})
        known = set(declared.get("parameters", {})) | set(declared.get("artifacts", {}))
        for task_name, task in group["dag"]["tasks"].items():
            inputs = task.get("inputs", {})
            for value in [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]:
                for kind in ("componentInputParameter", "componentInputArtifact"):
                    assert value.get(kind) is None or value[kind] in known or value[kind].endswith("-loop-item"), (
                        f"{task_name} in {name} reads {value[kind]}"
                    )


def test_kubeflows_cache_is_off_and_retries_are_set_on_every_task(compiled, spec):
    every = [(n, t) for _, g in groups(spec) for n, t in g["dag"]["tasks"].items()]
    tasks = [(n, t) for n, t in every if not n.startswith(("for-loop", "condition"))]
    assert len(tasks) == STEPS[compiled[0]]
    for name, task in tasks:
        assert task["cachingOptions"] == {}, name
        assert task["retryPolicy"]["maxRetryCount"] >= 1, name


def test_a_pipeline_takes_at_most_six_parameters_none_of_them_a_struct(spec):
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert len(parameters) <= 6
    assert {p["parameterType"] for p in parameters.values()} <= {"STRING", "LIST", "BOOLEAN"}


def test_one_network_after_another(spec):
    loops = [t for _, g in groups(spec) for t in g["dag"]["tasks"].values() if "iteratorPolicy" in t]
    wanted = [] if spec["pipelineInfo"]["name"] in ("embed", "evaluate") else [1]
    assert [loop["iteratorPolicy"]["parallelismLimit"] for loop in loops] == wanted
