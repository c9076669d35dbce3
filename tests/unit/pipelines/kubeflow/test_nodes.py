"""Whether nodes could take the pods of a profile; the node was recorded, what it offers is changed here."""

import copy
import json
from pathlib import Path

import pytest

from earmark.pipelines.cluster import STAGES, Cluster
from earmark.pipelines.kubeflow.nodes import check_nodes, judge

[NODE] = json.loads((Path(__file__).parent / "recorded" / "nodes.json").read_text())


def cluster(**profile):
    return Cluster.model_validate({"profiles": {"train": profile}})


def node(gpus=None, labels=None, taints=()):
    made = copy.deepcopy(NODE)
    if gpus:
        made["status"]["allocatable"]["nvidia.com/gpu"] = str(gpus)
    made["metadata"]["labels"] |= labels or {}
    made["spec"]["taints"] = list(taints)
    return made


TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
ACCEPTS = {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}


def test_the_built_in_profiles_fit_a_small_node():
    [line] = judge(Cluster(), STAGES, [NODE])
    assert (line.mark, line.what) == ("ok", "every stage has a node that could take it (1 seen)")


@pytest.mark.parametrize(
    ("profile", "nodes", "told"),
    [
        ({"gpus": 1}, [NODE], "asks for 1 nvidia.com/gpu, earmark-node has none"),
        ({"gpus": 4}, [node(gpus=1)], "asks for 4 nvidia.com/gpu, earmark-node has 1"),
        ({"memory": "512Gi"}, [NODE], "asks for 512Gi memory, earmark-node has 24581692Ki"),
        ({"cpu": "2500m"}, [NODE], "asks for 2500m cpu, earmark-node has 2"),
        ({"node_selector": {"pool": "gpu"}}, [NODE], "wants nodes with pool=gpu, earmark-node has no such label"),
        ({}, [node(taints=[TAINT])], "earmark-node has the taint nvidia.com/gpu=present:NoSchedule"),
        ({}, [], "the cluster has no node"),
    ],
)
def test_what_no_node_can_take_is_refused_with_what_lacks(profile, nodes, told):
    [line] = judge(cluster(**profile), ["train"], nodes)
    assert line.mark == "bad"
    assert line.what.startswith("no node can take a pod of train: ")
    assert told in line.what
    assert "profiles.train in the cluster file" in line.remedy


def test_a_cluster_without_gpus_is_told_how_to_go_without():
    [line] = judge(cluster(gpus=1), ["train"], [NODE])
    assert "no node offers nvidia.com/gpu: a device plugin does that; gpus: 0 trains on CPUs" in line.remedy
    [made_on_demand] = judge(cluster(gpus=1), ["train"], [NODE], any_node=True)
    assert (made_on_demand.mark, made_on_demand.what) == ("note", line.what)


@pytest.mark.parametrize(
    ("profile", "made"),
    [
        ({"gpus": 1, **ACCEPTS}, node(gpus=1, taints=[TAINT])),
        ({"tolerations": [{"operator": "Exists"}]}, node(taints=[TAINT])),
        ({"tolerations": [{"key": "nvidia.com/gpu", "value": "present"}]}, node(taints=[TAINT])),
        ({"node_selector": {"pool": "gpu"}}, node(labels={"pool": "gpu"})),
        ({}, node(taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])),
        ({}, node(taints=[{**TAINT, "effect": "PreferNoSchedule"}])),
    ],
)
def test_a_node_that_fits_beside_others_that_do_not_is_enough(profile, made):
    [line] = judge(cluster(**profile), ["train"], [node(taints=[{**TAINT, "key": "other"}]), made])
    assert line.mark == "ok"


def test_nodes_that_are_not_to_be_seen_are_only_noted(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    [line] = check_nodes(Cluster(), ["train"])
    assert line.mark == "note"
    assert "nodes and pods cannot be seen from here" in line.what
    assert "set KUBECONFIG" in line.remedy
