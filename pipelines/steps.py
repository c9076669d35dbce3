"""What the graphs over variants share: clips to patches once, and a variant from its dataset to its scores."""

from __future__ import annotations

from typing import Any, NamedTuple

from kfp import dsl

from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.build_catalog import build_catalog
from earmark.components.compare_models import compare_models
from earmark.components.evaluate_model import evaluate_model
from earmark.components.extract_features import extract_features
from earmark.components.extract_part import extract_part
from earmark.components.register_model import register_model
from earmark.components.train_model import train_model
from earmark.pipelines.placement import place, side_by_side


class Found(NamedTuple):
    """Channels of the catalog and the patches."""

    catalog: Any
    patches: Any


class Variant(NamedTuple):
    """Channels of what became of a variant."""

    checkpoint: Any
    metrics: Any


def find_patches(data: Any, experiment: Any, run: Any) -> Found:
    """Clips to patches, within a pipeline."""
    listed = place(build_catalog(data=data, experiment=experiment, run=run), "data")
    return Found(listed.outputs["catalog"], extract(listed, experiment, run))


def extract(listed: dsl.PipelineTask, experiment: Any, run: Any) -> Any:
    """Channel of the patches of the catalog that a step listed: partitions side by side, then joined."""
    catalog, parts = listed.outputs["catalog"], listed.outputs["Output"]

    with dsl.ParallelFor(parts, parallelism=side_by_side("features")) as part:
        extracted = place(extract_part(catalog=catalog, experiment=experiment, part=part, run=run), "features")

    joined = extract_features(
        catalog=catalog, parts=dsl.Collected(extracted.outputs["extracted"]), experiment=experiment, run=run
    )
    return place(joined, "features").outputs["patches"]


def train_and_score(dataset: Any, patches: Any, experiment: Any, variant: Any, run: Any) -> Variant:
    """A variant trained and scored, within a loop over variants."""
    trained = place(
        train_model(dataset=dataset, patches=patches, experiment=experiment, variant=variant, run=run), "train"
    )
    scored = place(
        evaluate_model(
            checkpoint=trained.outputs["checkpoint"],
            dataset=dataset,
            patches=patches,
            experiment=experiment,
            variant=variant,
            run=run,
        ),
        "evaluate",
    )
    return Variant(trained.outputs["checkpoint"], scored.outputs["metrics"])


def compare_and_register(found: Found, experiment: Any, variants: Any, model: Any, run: Any) -> None:
    """Patches to a registered model: every variant trained and scored alike, the best one put to the gate."""
    catalog, patches = found
    assembled = assemble_dataset(catalog=catalog, patches=patches, experiment=experiment, run=run)
    dataset = place(assembled, "data").outputs["dataset"]

    with dsl.ParallelFor(variants, parallelism=side_by_side("train")) as variant:
        made = train_and_score(dataset, patches, experiment, variant, run)

    rank_and_register(found, dataset, made, experiment, model, run)


def rank_and_register(found: Found, dataset: Any, made: Variant, experiment: Any, model: Any, run: Any) -> None:
    """Variants compared once all are scored, the best one put to the gate."""
    catalog, patches = found
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
        ),
        "register",
    )
    place(
        register_model(
            comparison=compared.outputs["comparison"],
            checkpoints=dsl.Collected(made.checkpoint),
            metrics=dsl.Collected(made.metrics),
            catalog=catalog,
            patches=patches,
            dataset=dataset,
            experiment=experiment,
            model=model,
            run=run,
        ),
        "register",
    )
