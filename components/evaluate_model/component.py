"""Scores of one trained network on the clips it never saw."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate_model(
    checkpoint: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    experiment: str,
    variant: str,
    run: str,
    metrics: dsl.Output[dsl.Artifact],
    scores: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
) -> None:
    """Score every validation and test clip; metrics with intervals.

    Args:
        checkpoint: the trained weights.
        dataset: clips with labels and splits.
        patches: shards of frames.
        experiment: the experiment as JSON.
        variant: which variant of the experiment.
        run: the run's id.
        metrics: scores and metrics of every clip, or the cause why there are none.
        scores: the test metrics, for Kubeflow's pages.
        confusion: the confusion matrix, for Kubeflow's pages.
    """
    from earmark.components.adapter import step

    with step("evaluate_model", run, variant, failure=metrics) as s:
        from earmark.components.pages import show
        from earmark.evaluation import evaluate_model
        from earmark.training.processes import visible_gpus

        s.gpus = min(1, visible_gpus())
        inputs = s.read(checkpoint), s.read(dataset), s.read(patches)
        result = evaluate_model(s.store, *inputs, s.config(experiment), s.progress)
        show(s.store, result, scores, confusion)
        s.write(metrics, result)
