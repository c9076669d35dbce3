"""Where and how a task runs: the one place that sets image, resources, retries, identity and environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from kfp import dsl, kubernetes

from earmark.components.images import TRAIN_IMAGE
from earmark.pipelines.cluster import Cluster, Profile

LOCAL_RETRIES = 2
KUBEFLOW_RUN = "metadata.labels['pipeline/runid']"
"""Label of every pod of a Kubeflow run: by it a step finds the run that Kubeflow's MLflow plugin made."""


@dataclass
class Target:
    """Where the graph that is being built will run."""

    cluster: Cluster | None = None
    """None for this machine."""
    first: dsl.PipelineTask | None = None
    """The task that all others wait for."""


_target: ContextVar[Target | None] = ContextVar("target", default=None)


@contextmanager
def placed_on(cluster: Cluster | None) -> Iterator[Target]:
    """Graphs that are built inside are placed on a cluster, or on this machine."""
    target = Target(cluster)
    token = _target.set(target)
    try:
        yield target
    finally:
        _target.reset(token)


def side_by_side(stage: str) -> int:
    """How many tasks of a stage may run at once; one after another on this machine."""
    target = _target.get()
    return target.cluster.profile(stage).pods if target and target.cluster else 1


def place(task: dsl.PipelineTask, stage: str) -> dsl.PipelineTask:
    """Settings that every task of every pipeline has, from the stage's profile in the cluster's file.

    Kubeflow's cache is off: results are found by their own keys, and a cached task would keep an older run's URIs. A
    task that is killed is run again and goes on from its own marker or checkpoint. A task that reads nothing of another
    waits for the graph's first.

    Args:
        task: of a pipeline.
        stage: ``data``, ``features``, ``train``, ``evaluate``, ``register`` or ``notify``.
    """
    target = _target.get() or Target()
    task.set_caching_options(False)
    if target.first is not None and not any(channel.task_name for channel in task.channel_inputs):
        task.after(target.first)
    if target.cluster is None:
        return task.set_retry(num_retries=LOCAL_RETRIES, backoff_duration="0s", backoff_factor=1.0)

    cluster, profile = target.cluster, target.cluster.profile(stage)
    _image(task, cluster)
    _resources(task, profile)
    _nodes(task, profile)
    _identity(task, profile)
    _environment(task, stage, cluster, profile)
    task.set_retry(profile.retries, backoff_duration=f"{profile.backoff_seconds}s", backoff_factor=2.0)
    return kubernetes.set_timeout(task, profile.timeout_minutes * 60)


def _image(task: dsl.PipelineTask, cluster: Cluster) -> None:
    """The cluster's name for the image that the component asks for."""
    asked = task.container_spec.image
    task.set_container_image(cluster.images.train if asked == TRAIN_IMAGE else cluster.images.steps)


def _resources(task: dsl.PipelineTask, profile: Profile) -> None:
    """Memory is limited to what is reserved; CPU is not limited: a limit would idle cores that nobody else uses."""
    task.set_cpu_request(profile.cpu)
    task.set_memory_request(profile.memory).set_memory_limit(profile.memory)
    if profile.gpus:
        task.set_accelerator_type(profile.gpu_type).set_accelerator_limit(profile.gpus)
    if profile.shm:
        kubernetes.empty_dir_mount(task, "shm", "/dev/shm", medium="Memory", size_limit=profile.shm)
    if profile.scratch:
        kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit=profile.scratch)


def _nodes(task: dsl.PipelineTask, profile: Profile) -> None:
    for key, value in profile.node_selector.items():
        kubernetes.add_node_selector(task, key, value)
    for taint in profile.tolerations:
        kubernetes.add_toleration(task, key=taint.key, operator=taint.operator, value=taint.value, effect=taint.effect)
    for key, value in profile.pod_labels.items():
        kubernetes.add_pod_label(task, key, value)


def _identity(task: dsl.PipelineTask, profile: Profile) -> None:
    """Who the process is, and the keys it holds."""
    user = profile.run_as_user
    kubernetes.set_security_context(task, run_as_user=user, run_as_group=user, run_as_non_root=True)
    for name, secret in profile.secrets.items():
        kubernetes.use_secret_as_env(task, name, {key: key for key in secret.keys}, optional=secret.optional)


def _environment(task: dsl.PipelineTask, stage: str, cluster: Cluster, profile: Profile) -> None:
    variables = {**cluster.environment, "EARMARK_STORE": cluster.store}
    if stage == "data":
        variables["EARMARK_FEATURE_PODS"] = str(cluster.profile("features").pods)
    if profile.gpus:
        variables["EARMARK_GPUS"] = str(profile.gpus)
    if profile.price_per_hour is not None:
        variables["EARMARK_PRICE_PER_HOUR"] = str(profile.price_per_hour)
    for name, value in variables.items():
        task.set_env_variable(name, value)
    kubernetes.use_field_path_as_env(task, env_name="EARMARK_KFP_RUN_ID", field_path=KUBEFLOW_RUN)
