"""What Pod Security "restricted" refuses, found in manifests before a cluster does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
TEMPLATES = {"CronJob": ("spec", "jobTemplate", "spec", "template"), "Pod": ()}

Object = Mapping[str, Any]


def pod_spec(document: Object) -> Object | None:
    """The spec of the pods that an object makes; None where it makes none."""
    found: Any = document
    for name in TEMPLATES.get(document["kind"], ("spec", "template")):
        found = found.get(name, {}) if isinstance(found, Mapping) else {}
    spec: Object | None = found.get("spec")
    return spec if spec and "containers" in spec else None


def violations(document: Object) -> list[str]:
    """Why the pods of an object would be refused, one line a reason; none where it makes no pods."""
    spec = pod_spec(document)
    return [] if spec is None else [*_of_pod(spec), *_of_containers(spec)]


def _of_pod(spec: Object) -> Iterator[str]:
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    for volume in spec.get("volumes", ()):
        kinds = volume.keys() - {"name"}
        if not kinds or not kinds <= VOLUMES:
            yield f"volume {volume['name']} is of kind {', '.join(kinds) or 'none'}"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "sysctls"


def _of_containers(spec: Object) -> Iterator[str]:
    pod = spec.get("securityContext", {})
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        name, own = container["name"], container.get("securityContext", {})
        merged = {**pod, **own}
        capabilities = own.get("capabilities", {})
        if merged.get("runAsNonRoot") is not True:
            yield f"{name}: runAsNonRoot is not true"
        if merged.get("runAsUser") == 0:
            yield f"{name}: runAsUser is 0"
        if merged.get("seccompProfile", {}).get("type") not in SECCOMP:
            yield f"{name}: no seccompProfile RuntimeDefault"
        if own.get("allowPrivilegeEscalation") is not False:
            yield f"{name}: allowPrivilegeEscalation is not false"
        if own.get("privileged"):
            yield f"{name}: privileged"
        if "ALL" not in capabilities.get("drop", ()):
            yield f"{name}: capabilities do not drop ALL"
        if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
            yield f"{name}: capabilities are added"
        if own.get("procMount", "Default") != "Default":
            yield f"{name}: procMount"
        if any(port.get("hostPort") for port in container.get("ports", ())):
            yield f"{name}: hostPort"
