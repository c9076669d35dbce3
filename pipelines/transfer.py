"""The paper's Audio Set experiment as a pipeline: embeddings of a trained network against log-mel, by clips a label."""

from typing import Any, List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.embed_dataset import embed_dataset
from earmark.components.evaluate_transfer import evaluate_transfer
from earmark.components.train_transfer import train_transfer
from earmark.pipelines.placement import place, side_by_side
from earmark.pipelines.steps import Variant, find_patches, rank_and_register


def transfer(data: str, experiment: str, variants: List[str], model: str, run: str) -> None:  # noqa: UP006
    """What a trained network's embeddings are worth on other clips, from few of them to all.

    Args:
        data: folder of the clips.
        experiment: base config and variants as canonical JSON; the base's train.init_from names the network.
        variants: names of the variants, in the experiment's order.
        model: name of the registered model, empty to register nothing.
        run: id that groups this run's results and MLflow runs.
    """
    found = find_patches(data, experiment, run)
    catalog, patches = found
    assembled = assemble_dataset(catalog=catalog, patches=patches, experiment=experiment, run=run)
    dataset = place(assembled, "data").outputs["dataset"]
    embedding = embed_dataset(catalog=catalog, patches=patches, dataset=dataset, experiment=experiment, run=run)
    embedded = place(embedding, "evaluate").outputs["embedded"]
    made = over_methods(dataset, patches, embedded, experiment, variants, run)
    rank_and_register(found, dataset, made, experiment, model, run)


def over_methods(dataset: Any, patches: Any, embedded: Any, experiment: Any, variants: Any, run: Any) -> Variant:
    """Every variant trained and scored, within a pipeline."""
    with dsl.ParallelFor(variants, parallelism=side_by_side("train")) as variant:
        given = {
            "dataset": dataset,
            "patches": patches,
            "embedded": embedded,
            "experiment": experiment,
            "variant": variant,
            "run": run,
        }
        checkpoint = place(train_transfer(**given), "train").outputs["checkpoint"]
        scored = place(evaluate_transfer(checkpoint=checkpoint, **given), "evaluate")

    return Variant(checkpoint, scored.outputs["metrics"])
