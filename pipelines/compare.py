"""Table 2 of the paper as a pipeline: every variant trained and scored alike, compared, the best one registered."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.build_catalog import build_catalog
from earmark.components.compare_models import compare_models
from earmark.components.evaluate_model import evaluate_model
from earmark.components.extract_features import extract_features
from earmark.components.register_model import register_model
from earmark.components.train_model import train_model
from earmark.pipelines.placement import place


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
    catalog = place(build_catalog(data=data, experiment=experiment, run=run)).outputs["catalog"]
    patches = place(extract_features(catalog=catalog, experiment=experiment, run=run)).outputs["patches"]
    dataset = place(assemble_dataset(catalog=catalog, patches=patches, experiment=experiment, run=run)).outputs[
        "dataset"
    ]

    with dsl.ParallelFor(variants, parallelism=1) as variant:
        trained = place(train_model(dataset=dataset, patches=patches, experiment=experiment, variant=variant, run=run))
        scored = place(
            evaluate_model(
                checkpoint=trained.outputs["checkpoint"],
                dataset=dataset,
                patches=patches,
                experiment=experiment,
                variant=variant,
                run=run,
            )
        )

    # Each use collects anew: the compiler changes a Collected object when it first meets it.
    compared = place(
        compare_models(
            metrics=dsl.Collected(scored.outputs["metrics"]),
            checkpoints=dsl.Collected(trained.outputs["checkpoint"]),
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
            checkpoints=dsl.Collected(trained.outputs["checkpoint"]),
            metrics=dsl.Collected(scored.outputs["metrics"]),
            model=model,
            run=run,
        )
    )
