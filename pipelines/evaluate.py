"""A model that is there, on labelled sound that it was not made of: clips to scores and their report."""

from earmark.components.assemble_dataset import assemble_dataset
from earmark.components.evaluate_package import evaluate_package
from earmark.pipelines.placement import place
from earmark.pipelines.steps import find_patches


def evaluate(data: str, experiment: str, model: str, include_trained: bool, run: str) -> None:
    """A registered model on any labelled sound, from clips to a report.

    Args:
        data: folder of the clips.
        experiment: the model's features, and that all clips are test, as canonical JSON.
        model: a registered version (``NAME/3``), or a package's folder.
        include_trained: keep the clips that the model was trained on.
        run: id that groups this run's results.
    """
    catalog, patches = find_patches(data, experiment, run)
    dataset = place(assemble_dataset(catalog=catalog, patches=patches, experiment=experiment, run=run), "data")
    place(
        evaluate_package(
            catalog=catalog,
            patches=patches,
            dataset=dataset.outputs["dataset"],
            model=model,
            include_trained=include_trained,
            run=run,
        ),
        "evaluate",
    )
