"""Compiled graphs: what Kubeflow would receive, for both example clusters."""

import re
from pathlib import Path

import pytest
import yaml

from earmark.pipelines.cluster import Cluster, read_cluster
from earmark.pipelines.graphs import GRAPHS, build, compile_graph

GOLDEN = Path(__file__).parent / "golden"
CLUSTERS = Path(__file__).parents[2] / "examples" / "clusters"
STEPS = {"compare": 10, "labels": 10, "data": 10, "study": 10, "crossval": 9, "embed": 6, "evaluate": 7, "retrain": 12}
STEPS |= {"transfer": 11, "probe": 7}
STAGES = {
    "data": {
        "preflight", "build-catalog", "list-clips", "find-news", "assemble-dataset", "plan-retraining",
        "read-embeddings",
    },
    "features": {"extract-part", "extract-features"},
    "train": {"train-model", "train-transfer"},
    "evaluate": {"evaluate-model", "evaluate-package", "embed-dataset", "evaluate-transfer"},
    "register": {"compare-models", "pool-models", "register-model", "export-embeddings"},
    "notify": {"finish-run"},
}  # fmt: skip
TORCH = {"train-model", "evaluate-model", "evaluate-package", "register-model", "export-embeddings"}
TORCH |= {"embed-dataset", "train-transfer", "evaluate-transfer"}


class Compiled:
    """A pipeline as Kubeflow reads it."""

    def __init__(self, name, cluster, path):
        compile_graph(name, cluster, path)
        self.name, self.cluster, self.text = name, cluster, path.read_text()
        self.spec, platform = yaml.safe_load_all(self.text)
        self.kubernetes = platform["platforms"]["kubernetes"]

    def executors(self):
        """Each step's name, profile, container and pod settings."""
        stage_of = {step: stage for stage, steps in STAGES.items() for step in steps}
        pods = self.kubernetes["deploymentSpec"]["executors"]
        assert pods.keys() == self.spec["deploymentSpec"]["executors"].keys()
        for label, executor in self.spec["deploymentSpec"]["executors"].items():
            step = label.removeprefix("exec-")
            yield step, self.cluster.profile(stage_of[step]), executor["container"], pods[label]

    def groups(self):
        """The root and all groups in it, by name."""
        yield "root", self.spec["root"]
        for name, component in self.spec["components"].items():
            if "dag" in component:
                yield name, component

    def tasks(self):
        """All tasks that are steps, with their names."""
        for _, group in self.groups():
            for name, task in group["dag"]["tasks"].items():
                if "dag" not in self.spec["components"][task["componentRef"]["name"]]:
                    yield name, task


@pytest.fixture(scope="module", params=[(name, file) for name in GRAPHS for file in ("cpu", "gpu")], ids="-".join)
def compiled(request, tmp_path_factory):
    name, file = request.param
    return Compiled(name, read_cluster(CLUSTERS / f"{file}.yaml"), tmp_path_factory.mktemp("ir") / f"{name}.yaml")


def normalised(spec):
    """The graph without sources, descriptions and the compiler's version, which change without changing it."""
    executors = {
        name: {"image": re.sub(r":[^:]+$", ":VERSION", e["container"]["image"])}
        for name, e in spec["deploymentSpec"]["executors"].items()
    }
    return undescribed({"components": spec["components"], "executors": executors, "root": spec["root"]})


def undescribed(value):
    if isinstance(value, list):
        return [undescribed(item) for item in value]
    if isinstance(value, dict):
        return {k: undescribed(v) for k, v in value.items() if not (k == "description" and isinstance(v, str))}
    return value


@pytest.mark.parametrize("name", GRAPHS)
def test_the_graph_is_the_one_that_was_last_agreed_on(name, tmp_path):
    path = GOLDEN / f"{name}.yaml"
    text = yaml.safe_dump(normalised(Compiled(name, Cluster(), tmp_path / "ir.yaml").spec), sort_keys=True)
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path.name} was not there and has been written: read it, then run again")
    assert text == path.read_text(), f"the graph changed; if that was wanted, remove {path.name} and run again"


def test_nothing_is_installed_when_a_step_starts(compiled):
    assert "pip install" not in compiled.text


def test_every_step_runs_in_the_clusters_image(compiled):
    images = {step: container["image"] for step, _, container, _ in compiled.executors()}
    assert len(images) == STEPS[compiled.name]
    for step, image in images.items():
        assert image == (compiled.cluster.images.train if step in TORCH else compiled.cluster.images.steps), step


def test_every_step_asks_for_its_stages_resources(compiled):
    for step, profile, container, pod in compiled.executors():
        resources = container["resources"]
        assert resources["resourceCpuRequest"] == profile.cpu, step
        assert "resourceCpuLimit" not in resources, step
        assert resources["resourceMemoryRequest"] == resources["resourceMemoryLimit"] == profile.memory, step
        assert pod["activeDeadlineSeconds"] == str(profile.timeout_minutes * 60), step
        mounts = {m["mountPath"]: (m.get("medium"), m["sizeLimit"]) for m in pod.get("emptyDirMounts", ())}
        wanted = {"/dev/shm": ("Memory", profile.shm), "/tmp": (None, profile.scratch)}
        assert mounts == {path: mount for path, mount in wanted.items() if mount[1]}, step


def test_gpus_are_asked_for_by_type_and_count_and_only_by_training(compiled):
    asking = {
        s: (c["resources"]["accelerator"], c["env"])
        for s, _, c, _ in compiled.executors()
        if "accelerator" in c["resources"]
    }
    profile = compiled.cluster.profile("train")
    trained = profile.gpus > 0 and compiled.name not in ("embed", "evaluate")
    training = "train-transfer" if compiled.name in ("transfer", "probe") else "train-model"
    assert set(asking) == ({training} if trained else set())
    for accelerator, variables in asking.values():
        assert (accelerator["resourceType"], accelerator["resourceCount"]) == (profile.gpu_type, str(profile.gpus))
        assert {"name": "EARMARK_GPUS", "value": str(profile.gpus)} in variables


def test_no_step_is_root_and_each_has_only_its_own_keys(compiled):
    for step, profile, _, pod in compiled.executors():
        user = str(profile.run_as_user)
        assert pod["securityContext"] == {"runAsUser": user, "runAsGroup": user, "runAsNonRoot": True}, step
        secrets = {s["secretName"]: (s["optional"], [k["envVar"] for k in s["keyToEnv"]]) for s in pod["secretAsEnv"]}
        assert secrets == {name: (secret.optional, list(secret.keys)) for name, secret in profile.secrets.items()}


def test_pods_go_to_the_nodes_that_their_profile_names(compiled):
    for step, profile, _, pod in compiled.executors():
        assert pod.get("nodeSelector", {}).get("labels", {}) == profile.node_selector, step
        wanted = [toleration.model_dump(exclude_none=True) for toleration in profile.tolerations]
        assert pod.get("tolerations", []) == wanted, step
        assert pod.get("podMetadata", {}).get("labels", {}) == profile.pod_labels, step


def test_every_step_finds_the_servers_and_its_kubeflow_run(compiled):
    for step, profile, container, pod in compiled.executors():
        [field] = pod["fieldPathAsEnv"]
        assert field == {"name": "EARMARK_KFP_RUN_ID", "fieldPath": "metadata.labels['pipeline/runid']"}
        told = {variable["name"]: variable["value"] for variable in container["env"]}
        assert told.items() >= {**compiled.cluster.environment, "EARMARK_STORE": compiled.cluster.store}.items()
        price = profile.price_per_hour
        assert told.get("EARMARK_PRICE_PER_HOUR") == (None if price is None else str(price)), step
        pods = str(compiled.cluster.profile("features").pods)
        assert told.get("EARMARK_FEATURE_PODS") == (pods if step in STAGES["data"] else None), step


def test_a_run_has_a_deadline(compiled):
    assert compiled.kubernetes["pipelineConfig"] == {
        "activeDeadlineSeconds": round(compiled.cluster.deadline_hours * 3600)
    }


def test_no_group_reads_an_input_that_it_does_not_declare(compiled):
    for name, group in compiled.groups():
        declared = group.get("inputDefinitions", {})
        known = set(declared.get("parameters", {})) | set(declared.get("artifacts", {}))
        for task_name, task in group["dag"]["tasks"].items():
            inputs = task.get("inputs", {})
            for value in [*inputs.get("parameters", {}).values(), *inputs.get("artifacts", {}).values()]:
                for kind in ("componentInputParameter", "componentInputArtifact"):
                    assert value.get(kind) is None or value[kind] in known or value[kind].endswith("-loop-item"), (
                        f"{task_name} in {name} reads {value[kind]}"
                    )


def test_kubeflows_cache_is_off_and_every_step_is_tried_again_after_a_pause(compiled):
    retries = {step: profile for step, profile, _, _ in compiled.executors()}
    tasks = dict(compiled.tasks())
    assert len(tasks) == STEPS[compiled.name]
    for name, task in tasks.items():
        assert task["cachingOptions"] == {}, name
        profile, policy = retries[name], task["retryPolicy"]
        assert policy["maxRetryCount"] == profile.retries >= 1, name
        assert policy["backoffDuration"] == f"{profile.backoff_seconds}s", name
        assert policy["backoffFactor"] == 2.0, name


def test_everything_waits_for_preflight_and_ends_in_finish_run(compiled):
    root = compiled.spec["root"]["dag"]["tasks"]
    [handled] = set(root) - {"finish-run"}
    last = root["finish-run"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert last["inputs"]["parameters"]["status"] == {"taskFinalStatus": {"producerTask": handled}}
    tasks = compiled.spec["components"][root[handled]["componentRef"]["name"]]["dag"]["tasks"]
    assert [name for name, task in tasks.items() if not task.get("dependentTasks")] == ["preflight"]


def test_a_pipeline_takes_at_most_six_parameters_none_of_them_a_struct_or_a_resource(compiled):
    parameters = compiled.spec["root"]["inputDefinitions"]["parameters"]
    assert len(parameters) <= 6
    assert {p["parameterType"] for p in parameters.values()} <= {"STRING", "LIST", "BOOLEAN"}
    for _, _, container, pod in compiled.executors():
        assert "{{" not in yaml.safe_dump([container["resources"], container["image"], pod])


def test_as_many_work_side_by_side_as_the_cluster_allows(compiled):
    loops = {}
    for _, group in compiled.groups():
        for task in group["dag"]["tasks"].values():
            if "iteratorPolicy" in task:
                inside = compiled.spec["components"][task["componentRef"]["name"]]["dag"]["tasks"]
                stage = "train" if {"train-model", "train-transfer"} & set(inside) else "features"
                loops[stage] = task["iteratorPolicy"]["parallelismLimit"]
    stages = {"embed": ["features"], "evaluate": ["features"], "probe": ["train"]}.get(
        compiled.name, ["features", "train"]
    )
    assert loops == {stage: compiled.cluster.profile(stage).pods for stage in stages}


@pytest.mark.parametrize("name", GRAPHS)
def test_on_this_machine_a_graph_says_nothing_of_a_cluster(name):
    graph = build(name)
    assert graph.platform_spec.platforms == {}
    for label, executor in graph.pipeline_spec.deployment_spec["executors"].items():
        assert not {"resources", "env"} & set(executor["container"]), label
