"""The comparison of all variants and its report."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def compare_models(
    metrics: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    checkpoints: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    experiment: str,
    run: str,
    comparison: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Rank the variants by the validation part, report the test set, write one HTML page.

    Args:
        metrics: of every variant.
        checkpoints: of every variant.
        catalog: what each clip claims to be.
        patches: what decoding found.
        dataset: clips with labels and splits.
        experiment: the experiment as JSON.
        run: the run's id.
        comparison: the ranked networks and the champion.
        report: the page, for Kubeflow's own.
    """
    from earmark.components.adapter import step

    with step("compare_models", run) as s:
        from pathlib import Path

        from earmark.config import Experiment
        from earmark.evaluation import compare_models
        from earmark.store import load

        results = [load(m.path) for m in metrics]
        result = compare_models(
            s.store,
            [m for m in results if m.failed is None],
            [load(c.path) for c in checkpoints],
            s.read(catalog),
            s.read(patches),
            s.read(dataset),
            [{"variant": m.facts["variant"], "cause": m.failed} for m in results if m.failed is not None],
            Experiment.from_json(experiment),
            s.run,
            s.progress,
        )
        Path(report.path).write_bytes(result.files["report.html"].read(s.store))
        s.write(comparison, result)
