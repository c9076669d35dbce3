"""Scores of networks over folds and seeds, pooled, and their report."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def pool_models(
    metrics: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    checkpoints: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    datasets: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    experiment: str,
    run: str,
    pooled: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Pool every network's scores over its folds and seeds; fails, after its report, if a variant failed.

    Args:
        metrics: of every variant.
        checkpoints: of every variant.
        datasets: of every variant.
        experiment: the experiment as JSON.
        run: the run's id.
        pooled: the networks with pooled scores.
        report: the page, for Kubeflow's own.
    """
    from earmark.components.adapter import step

    with step("pool_models", run) as s:
        from pathlib import Path

        from earmark.config import Experiment
        from earmark.evaluation import check_none_failed, pool_models
        from earmark.registry import record_pooled
        from earmark.store import load

        scored, trained = [load(m.path) for m in metrics], [load(c.path) for c in checkpoints]
        assembled = [load(d.path) for d in datasets]
        result = pool_models(s.store, scored, trained, assembled, Experiment.from_json(experiment), s.run, s.progress)
        Path(report.path).write_bytes(result.files["report.html"].read(s.store))
        s.write(pooled, result)
        good = next((d for d in assembled if d.failed is None), None)
        if good is not None:
            record_pooled(s.store, result, trained, scored, assembled, s.context(experiment, good), s.progress)
        check_none_failed(result)
