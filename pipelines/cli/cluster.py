"""Commands that run pipelines on a Kubeflow cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.pipelines.cli import asking
from earmark.pipelines.cli.app import Json, Work, app
from earmark.pipelines.cli.asking import offer

if TYPE_CHECKING:
    from earmark.pipelines.requests import Request
else:
    Request = object  # signatures are evaluated when the command starts, before anything heavy is imported

submit_app = typer.Typer(help="Run a pipeline on a Kubeflow cluster.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(submit_app, name="submit")

ClusterFile = Annotated[
    Path | None,
    typer.Option("--cluster", help="YAML file of the cluster. [default: EARMARK_CLUSTER, else the local overlay]"),
]
KubeflowExperiment = Annotated[str, typer.Option("--experiment", help="Kubeflow's experiment that the run is in.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the run to its end, and show its result.")]
AnyNode = Annotated[
    bool, typer.Option("--any-node", help="Go on though no node of today can take a pod: nodes are made on demand.")
]
RunName = Annotated[str, typer.Argument(help="A run's id, its beginning, or Kubeflow's id; see `earmark runs`.")]


COMPARE = """Train and compare networks on the cluster; a local folder of sounds is uploaded first.

For example: earmark submit compare --data s3://sounds/birds --wait
"""
LABELS = """Label-set sizes, each without and with a bottleneck, on the cluster: the paper's Table 3.

For example: earmark submit labels --data s3://sounds/birds --sizes all,20,5 --wait
"""
LADDER = """Smaller and smaller parts of the training clips, on the cluster: the paper's Table 4.

For example: earmark submit data --data s3://sounds/birds --factor 10 --wait
"""
STUDY = """Your own list of variants, compared on the cluster.

For example: earmark submit study examples/studies/resnet50_long.yaml --data s3://sounds/birds --wait
"""
RETRAIN = """Train the champion's successor on the cluster, and put it to the gate; stops where nothing is new.

For example: earmark submit retrain --data s3://sounds/birds --from champion
"""
TRANSFER = """Use a trained network on other clips, on the cluster: heads on its embeddings, fine-tuning, log-mel alone.

For example: earmark submit transfer --data s3://sounds/birds --from earmark --clips 5,all --wait
"""
PROBE = """Train heads on Audio Set's published embeddings, on the cluster.

For example: earmark submit probe --data s3://sounds/audioset_v1_embeddings --clips 5,all --wait
"""
EVALUATE = """Score a registered model on labelled sound, on the cluster.

For example: earmark submit evaluate earmark@champion --data s3://sounds/field --wait
"""
EMBED = """Embed sounds by a registered model on the cluster; the embeddings stay in the store, as Parquet.

For example: earmark submit embed --data s3://sounds/archive --model earmark --kind whitened
"""


def _submitting(text: str, *, by_registry: bool) -> Callable[..., None]:
    """What a command of ``earmark submit`` does, with its help; some requests depend on the registry."""

    def submit(
        ask: Callable[..., Request],
        cluster: ClusterFile = None,
        experiment: KubeflowExperiment = "earmark",
        wait: Wait = False,
        any_node: AnyNode = False,
        work: Work = "work",
        json: Json = False,
    ) -> None:
        from earmark.pipelines.kubeflow.submit import Options, submit

        submit(ask, Options(cluster, experiment, wait, any_node, work, json), by_registry=by_registry)

    submit.__doc__ = text
    return submit


offer(submit_app, "compare", asking.compare, _submitting(COMPARE, by_registry=False))
offer(submit_app, "labels", asking.labels, _submitting(LABELS, by_registry=False))
offer(submit_app, "data", asking.ladder, _submitting(LADDER, by_registry=False))
offer(submit_app, "study", asking.study, _submitting(STUDY, by_registry=False))
offer(submit_app, "retrain", asking.retrain, _submitting(RETRAIN, by_registry=True))
offer(submit_app, "transfer", asking.transfer, _submitting(TRANSFER, by_registry=True))
offer(submit_app, "probe", asking.probe, _submitting(PROBE, by_registry=False))
offer(submit_app, "evaluate", asking.evaluate, _submitting(EVALUATE, by_registry=True))
offer(submit_app, "embed", asking.embed, _submitting(EMBED, by_registry=True))


@app.command()
def cancel(run: RunName, cluster: ClusterFile = None) -> None:
    """End a run on the cluster; what its steps have done stays, and submitted again it goes on from there.

    For example: earmark cancel compare-2b29
    """
    from earmark.pipelines.kubeflow.control import cancel as cancel_run

    cancel_run(run, cluster)


@app.command()
def retry(
    run: RunName, cluster: ClusterFile = None, wait: Wait = False, work: Work = "work", json: Json = False
) -> None:
    """Start what failed in a run on the cluster again, under the same page of Kubeflow.

    For example: earmark retry compare-2b29 --wait
    """
    from earmark.pipelines.kubeflow.control import retry as retry_run

    retry_run(run, cluster, wait, work, json)
