"""Table 2 of the paper as a pipeline: every variant trained and scored alike, compared, the best one registered."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.compare_models import compare_models
from earmark.components.register_model import register_model
from earmark.pipelines.placement import place
from earmark.pipelines.steps import find_patches, train_and_score


@dsl.pipeline(name="compare", description="Networks compared on one dataset, from clips to a registered model")
def compare(data: str, experiment: str, variants: List[str], model: str, run: str) -> None:  # noqa: UP006
    """Clips to report and registered model.

    Args:
        data: folder of the clips.
        experiment: base config and variants as canonical JSON.
        variants: names of the variants, in the experiment's order.
        model: name of the registered model.
        run: id that groups this run's results and MLflow runs.
    """
    catalog, patches = find_patches(data, experiment, run)
    dataset = place(assemble_dataset(catalog=catalog, patches=patches, experiment=experiment, run=run)).outputs[
        "dataset"
    ]

    with dsl.ParallelFor(variants, parallelism=1) as variant:
        made = train_and_score(dataset, patches, experiment, variant, run)

    # Each use collects anew: the compiler changes a Collected object when it first meets it.
    compared = place(
        compare_models(
            metrics=dsl.Collected(made.metrics),
            checkpoints=dsl.Collected(made.checkpoint),
            catalog=catalog,
            patches=patches,
            dataset=dataset,
            experiment=experiment,
            run=run,
        )
    )
    place(
        register_model(
            comparison=compared.outputs["comparison"],
            checkpoints=dsl.Collected(made.checkpoint),
            metrics=dsl.Collected(made.metrics),
            catalog=catalog,
            patches=patches,
            dataset=dataset,
            model=model,
            run=run,
        )
    )
