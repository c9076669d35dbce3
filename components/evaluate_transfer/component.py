"""Scores of one variant of a transfer on the clips it never saw."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def evaluate_transfer(
    checkpoint: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    embedded: dsl.Input[dsl.Artifact],
    experiment: str,
    variant: str,
    run: str,
    metrics: dsl.Output[dsl.Artifact],
    scores: dsl.Output[dsl.Metrics],
    confusion: dsl.Output[dsl.ClassificationMetrics],
) -> None:
    """Score every validation and test clip, from stored embeddings where the head alone was trained.

    Args:
        checkpoint: the trained weights.
        dataset: clips with labels and splits.
        patches: shards of frames.
        embedded: the embeddings of every clip.
        experiment: the experiment as JSON.
        variant: which variant of the experiment.
        run: the run's id.
        metrics: scores and metrics of every clip, or the cause why there are none.
        scores: the test metrics, for Kubeflow's pages.
        confusion: the confusion matrix, for Kubeflow's pages.
    """
    from earmark.components.adapter import step

    with step("evaluate_transfer", run, variant, failure=metrics) as s:
        from earmark.components.pages import show
        from earmark.transfer import is_head

        config = s.config(experiment)
        found, listed, frames = s.read(checkpoint), s.read(dataset), s.read(patches)
        if is_head(config, frames):
            from earmark.transfer import evaluate_head

            result = evaluate_head(s.store, found, listed, s.read(embedded), frames, config, s.progress)
        else:
            from earmark.evaluation import evaluate_model
            from earmark.training.processes import visible_gpus

            s.gpus = min(1, visible_gpus())
            result = evaluate_model(s.store, found, listed, frames, config, s.progress)
        show(s.store, result, scores, confusion)
        s.write(metrics, result)
