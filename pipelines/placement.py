"""Where and how a task runs: the one place that sets caching, retries and, on a cluster, resources."""

from __future__ import annotations

from kfp import dsl, kubernetes

RETRIES = 2
KUBEFLOW_RUN = "metadata.labels['pipeline/runid']"
"""Label of every pod of a Kubeflow run: by it a step finds the run that Kubeflow's MLflow plugin made."""


def place(task: dsl.PipelineTask, stage: str) -> dsl.PipelineTask:
    """Settings that every task of every pipeline has.

    Kubeflow's cache is off: results are found by their own keys, and a cached task would keep an older run's URIs.
    Args:
        task: of a pipeline.
        stage: ``data``, ``features``, ``train``, ``evaluate``, ``register`` or ``notify``.

    A task that is killed is run again and goes on from its own marker or checkpoint.
    """
    task.set_caching_options(False)
    kubernetes.use_field_path_as_env(task, env_name="EARMARK_KFP_RUN_ID", field_path=KUBEFLOW_RUN)
    task.set_retry(num_retries=RETRIES, backoff_duration="0s", backoff_factor=1.0)
    return task
