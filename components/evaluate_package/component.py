"""Scores of a model that is there, on labelled sound that it was not made of."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate_package(
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    model: str,
    include_trained: bool,
    run: str,
    evaluation: dsl.Output[dsl.Artifact],
    scores: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Score every clip of the dataset with a packaged model; metrics with intervals, and one HTML page.

    Args:
        catalog: what each clip claims to be.
        patches: shards of frames, by the model's features.
        dataset: clips with labels, all of them test.
        model: a registered version, or a package's folder.
        include_trained: keep the clips that the model was trained on.
        run: the run's id.
        evaluation: scores and metrics.
        scores: the metrics, for Kubeflow's pages.
        confusion: the confusion matrix, for Kubeflow's pages.
        report: the page, for Kubeflow's own.
    """
    from earmark.components.adapter import step

    with step("evaluate_package", run) as s:
        from pathlib import Path

        from earmark.components.pages import show
        from earmark.evaluation import evaluate_package, report_package
        from earmark.registry import fetch_source
        from earmark.training.processes import visible_gpus

        s.gpus = min(1, visible_gpus())
        packaged = fetch_source(model)
        inputs = s.read(catalog), s.read(patches), s.read(dataset)
        found = evaluate_package(s.store, packaged, *inputs, include_trained, s.progress)
        show(s.store, found, scores, confusion)
        page = report_package(s.store, found, packaged.document, inputs[-1], s.run)
        Path(report.path).write_bytes(page.files["report.html"].read(s.store))
        s.write(evaluation, page)
