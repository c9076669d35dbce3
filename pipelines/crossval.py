"""Networks over folds and seeds as a pipeline: each model scored on clips that it was chosen without, then pooled."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.pool_models import pool_models
from earmark.pipelines.placement import place, side_by_side
from earmark.pipelines.steps import find_patches, train_and_score


def crossval(data: str, experiment: str, variants: List[str], run: str) -> None:  # noqa: UP006
    """Networks over folds and seeds, from clips to pooled scores.

    Args:
        data: folder of the clips.
        experiment: base config and variants, one a network, fold and seed, as canonical JSON.
        variants: names of the variants, in the experiment's order.
        run: id that groups this run's results and MLflow runs.
    """
    catalog, patches = find_patches(data, experiment, run)

    with dsl.ParallelFor(variants, parallelism=side_by_side("train")) as variant:
        assembled = place(
            assemble_dataset(catalog=catalog, patches=patches, experiment=experiment, run=run, variant=variant), "data"
        )
        made = train_and_score(assembled.outputs["dataset"], patches, experiment, variant, run)

    place(
        pool_models(
            metrics=dsl.Collected(made.metrics),
            checkpoints=dsl.Collected(made.checkpoint),
            datasets=dsl.Collected(assembled.outputs["dataset"]),
            experiment=experiment,
            run=run,
        ),
        "register",
    )
