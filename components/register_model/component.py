"""The champion's entry in the model registry."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def register_model(
    comparison: dsl.Input[dsl.Artifact],
    checkpoints: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    metrics: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    model: str,
    run: str,
    version: dsl.Output[dsl.Artifact],
) -> None:
    """Make the champion a version of the registered model; fails, registering nothing, if a variant failed.

    Args:
        comparison: the ranked networks and the champion.
        checkpoints: of every variant.
        metrics: of every variant.
        catalog: what each clip claims to be.
        patches: what decoding found.
        dataset: clips with labels and splits.
        model: name of the registered model.
        run: the run's id.
        version: name and number of the version.
    """
    from earmark.components.adapter import step

    with step("register_model", run) as s:
        from earmark.registry import register_model
        from earmark.store import load
        from earmark.tracking import RunContext

        context = RunContext(run=run, pipeline="compare")
        s.write(
            version,
            register_model(
                s.store,
                s.read(comparison),
                [load(c.path) for c in checkpoints],
                [load(m.path) for m in metrics],
                s.read(catalog),
                s.read(patches),
                s.read(dataset),
                model,
                context,
                s.progress,
            ),
        )
