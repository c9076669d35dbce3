"""Every overlay: valid for Kubernetes, allowed under Pod Security "restricted", without a secret in git."""

import copy
import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from render import COMPONENTS, MANIFESTS, OVERLAYS, render
from restricted import pod_spec, violations

NAMES = [*(Path(name).name for name in OVERLAYS), *COMPONENTS]
SERVERS = [name for name in NAMES if name != "kubeflow"]
RESTRICTED = "pod-security.kubernetes.io/enforce"


def confined(objects):
    """Objects in namespaces that enforce "restricted"."""
    namespaces = {
        each["metadata"]["name"]
        for each in objects
        if each["kind"] == "Namespace" and each["metadata"]["labels"].get(RESTRICTED) == "restricted"
    }
    return [each for each in objects if each["metadata"].get("namespace") in namespaces]


def containers(objects):
    """All containers of all pods, with the object that makes them."""
    for each in objects:
        spec = pod_spec(each)
        for container in (*spec.get("initContainers", ()), *spec["containers"]) if spec else ():
            yield each, container


@pytest.mark.parametrize("name", NAMES)
def test_objects_have_fields_that_kubernetes_knows_and_no_others(name, rendered):
    for each in rendered[name]:
        kubernetes_validate.validate(each, "1.34", strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found(rendered):
    deployment = copy.deepcopy(next(each for each in rendered["local"] if each["kind"] == "Deployment"))
    deployment["spec"]["template"]["spec"]["automountServiceAcountToken"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.34", strict=True)


@pytest.mark.parametrize("name", SERVERS)
def test_pod_security_lets_every_pod_of_the_servers_in(name, rendered):
    pods = [each for each in confined(rendered[name]) if pod_spec(each)]
    assert len(pods) >= 3
    assert {each["metadata"]["name"]: violations(each) for each in pods if violations(each)} == {}


def broken(change):
    """A pod of ours, made wrong by ``change(spec, container)``."""
    container = {
        "name": "c",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": pod}
    change(spec, container)
    return {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}


def test_a_pod_that_is_right_is_let_in():
    assert violations(broken(lambda spec, container: None)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s, c: s.update(hostNetwork=True), "hostNetwork"),
        (lambda s, c: s.update(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "volume v is of kind hostPath"),
        (lambda s, c: s["securityContext"].update(sysctls=[{"name": "a", "value": "1"}]), "sysctls"),
        (lambda s, c: s["securityContext"].pop("runAsNonRoot"), "c: runAsNonRoot is not true"),
        (lambda s, c: c["securityContext"].update(runAsNonRoot=False), "c: runAsNonRoot is not true"),
        (lambda s, c: c["securityContext"].update(runAsUser=0), "c: runAsUser is 0"),
        (lambda s, c: s["securityContext"].pop("seccompProfile"), "c: no seccompProfile RuntimeDefault"),
        (lambda s, c: c.pop("securityContext"), "c: allowPrivilegeEscalation is not false"),
        (lambda s, c: c["securityContext"].update(privileged=True), "c: privileged"),
        (lambda s, c: c["securityContext"]["capabilities"].pop("drop"), "c: capabilities do not drop ALL"),
        (lambda s, c: c["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]), "c: capabilities are added"),
        (lambda s, c: c["securityContext"].update(procMount="Unmasked"), "c: procMount"),
        (lambda s, c: c.update(ports=[{"containerPort": 80, "hostPort": 80}]), "c: hostPort"),
        (lambda s, c: s.update(initContainers=[{"name": "i"}]), "i: allowPrivilegeEscalation is not false"),
    ],
)
def test_a_pod_that_would_be_refused_is_found(change, told):
    assert told in violations(broken(change))


@pytest.mark.parametrize("name", SERVERS)
def test_no_pod_of_the_servers_can_write_its_root_or_ask_kubernetes(name, rendered):
    for each, container in containers(confined(rendered[name])):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]
        assert pod_spec(each)["automountServiceAccountToken"] is False
        assert pod_spec(each)["securityContext"]["runAsUser"] == 10001


def test_the_local_servers_leave_a_laptop_its_cores(rendered):
    asked = [
        int(container["resources"]["requests"]["cpu"].removesuffix("m"))
        for each, container in containers(rendered["local"])
        if container in pod_spec(each)["containers"]
    ]
    assert sum(asked) <= 300


@pytest.mark.parametrize("name", NAMES)
def test_passwords_and_keys_come_from_secrets_and_are_in_no_argument(name, rendered):
    for _, container in containers(rendered[name]):
        for variable in container.get("env", ()):
            if re.search("PASSWORD|SECRET|ACCESS_KEY|URI|TOKEN", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], variable
        told = json.dumps([container.get("command"), container.get("args")])
        assert not re.search(r"\$\((AWS|PG|MLFLOW_BACKEND|POSTGRES)|postgresql", told)


def test_no_secret_is_in_git():
    assert "secrets.yaml" in (MANIFESTS / "secrets" / ".gitignore").read_text().split()
    looked_at = 0
    for path in MANIFESTS.rglob("*.yaml"):
        if path.name != "secrets.yaml":
            for each in yaml.safe_load_all(path.read_text()):
                looked_at += 1
                assert not (isinstance(each, dict) and each.get("kind") == "Secret"), path
    assert looked_at > 50


@pytest.mark.parametrize("name", SERVERS)
def test_jobs_stay_where_they_are_so_that_a_second_apply_changes_nothing(name, rendered):
    jobs = {each["metadata"]["name"]: each["spec"] for each in rendered[name] if each["kind"] == "Job"}
    assert {"buckets", "database"} <= jobs.keys()
    assert not any("ttlSecondsAfterFinished" in spec for spec in jobs.values())
    hashed = re.compile("-[a-z0-9]{10}$")  # a change of what they name would change them, which Kubernetes refuses
    for spec in jobs.values():
        named = [
            volume["configMap"]["name"]
            for volume in pod_spec({"kind": "Job", "spec": spec})["volumes"]
            if "configMap" in volume
        ]
        assert not any(map(hashed.search, named))


@pytest.mark.parametrize("name", SERVERS)
def test_all_pods_are_cut_off_but_for_named_exceptions(name, rendered):
    policies = [each for each in rendered[name] if each["kind"] == "NetworkPolicy"]
    for namespace in {each["metadata"]["namespace"] for each, _ in containers(rendered[name])}:
        closed = [each["spec"] for each in policies if each["metadata"]["namespace"] == namespace]
        assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in closed
    there = {pod_labels(each)["app.kubernetes.io/name"] for each, _ in containers(rendered[name])}
    asked = set(re.findall(r'"app.kubernetes.io/name": "([a-z-]+)"', json.dumps(policies)))
    known = there | ({"object-store"} if name == "external" else set())
    assert asked <= known | {"backup"}


def pod_labels(each):
    template = (
        each["spec"]["jobTemplate"]["spec"]["template"] if each["kind"] == "CronJob" else each["spec"]["template"]
    )
    return template["metadata"]["labels"]


def test_mlflow_knows_its_names_with_their_ports(rendered):
    for name in SERVERS:
        [mlflow] = [c for _, c in containers(rendered[name]) if c["name"] == "mlflow"]
        [variable] = [v for v in mlflow["env"] if v["name"] == "ALLOWED_HOSTS"]
        found = variable["valueFrom"]["configMapKeyRef"]["name"]
        [settings] = [each["data"] for each in rendered[name] if each["metadata"]["name"] == found]
        assert {"mlflow.earmark:*", "mlflow.earmark.svc.cluster.local:*"} <= set(settings["ALLOWED_HOSTS"].split(","))


def test_images_have_versions_and_a_restore_takes_those_of_the_backup(rendered):
    used = {c["image"] for objects in rendered.values() for _, c in containers(objects)}
    assert not [image for image in used if image.endswith(":latest") or not re.search(r"[:@][^/]+$", image)]
    restore = yaml.safe_load((MANIFESTS / "components" / "backup" / "restore.yaml").read_text())
    [backup] = [each for each in rendered["gpu"] if each["kind"] == "CronJob"]
    assert violations(restore) == []
    assert [c["image"] for _, c in containers([restore])] == [c["image"] for _, c in containers([backup])]


def test_the_plugin_of_the_pipelines_is_mounted_where_their_server_reads_it(tmp_path):
    (tmp_path / "server.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ml-pipeline}\nspec:\n"
        "  template: {spec: {containers: [{name: ml-pipeline-api-server,"
        " volumeMounts: [{name: ca, mountPath: /ca}]}]}}\n"
    )
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: kubeflow\n"
        "resources: [server.yaml]\ncomponents: [back-end]\n"
    )
    (tmp_path / "back-end").mkdir()
    for path in (MANIFESTS / "kubeflow" / "back-end").iterdir():
        (tmp_path / "back-end" / path.name).write_text(path.read_text())
    settings, server = yaml.safe_load_all(render(tmp_path))
    plugin = json.loads(settings["data"]["config.json"])["plugins"]["mlflow"]
    assert plugin["endpoint"] == "http://mlflow.earmark:5000"
    assert plugin["settings"]["injectUserEnvVars"] is False
    [container] = pod_spec(server)["containers"]
    assert {"name": "ca", "mountPath": "/ca"} in container["volumeMounts"]
    assert "/config/config.json" in [mount["mountPath"] for mount in container["volumeMounts"]]
