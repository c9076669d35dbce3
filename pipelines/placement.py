"""Where and how a task runs: the one place that sets caching, retries and, on a cluster, resources."""

from __future__ import annotations

from kfp import dsl

RETRIES = 2


def place(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Settings that every task of every pipeline has.

    Kubeflow's cache is off: results are found by their own keys, and a cached task would keep an older run's URIs.
    A task that is killed is run again and goes on from its own marker or checkpoint.
    """
    task.set_caching_options(False)
    task.set_retry(num_retries=RETRIES, backoff_duration="0s", backoff_factor=1.0)
    return task
