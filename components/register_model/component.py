"""The best network's entry in the model registry, and whether it becomes champion."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def register_model(
    comparison: dsl.Input[dsl.Artifact],
    checkpoints: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    metrics: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    experiment: str,
    model: str,
    run: str,
    version: dsl.Output[dsl.Artifact],
    decision: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Make the best network a version of the registered model, and champion if the gate lets it.

    Fails, registering nothing, if a variant failed. Without a model's name nothing is registered: every network's end
    is recorded, and the report is the comparison's.

    Args:
        comparison: the ranked networks and the champion.
        checkpoints: of every variant.
        metrics: of every variant.
        catalog: what each clip claims to be.
        patches: what decoding found.
        dataset: clips with labels and splits.
        experiment: the experiment as JSON.
        model: name of the registered model, or "".
        run: the run's id.
        version: name and number of the version.
        decision: whether it is champion now, and why.
        report: champion and challenger on one page, for Kubeflow's own.
    """
    from earmark.components.adapter import step

    with step("register_model", run) as s:
        from pathlib import Path

        from earmark.registry import Sounds, gate_model, register_model
        from earmark.store import load

        sounds = Sounds(s.read(catalog), s.read(patches), s.read(dataset))
        compared, context = s.read(comparison), s.context(experiment, sounds.dataset)
        trained, scored = [load(c.path) for c in checkpoints], [load(m.path) for m in metrics]
        registered = register_model(
            s.store,
            compared,
            trained,
            scored,
            sounds.catalog,
            sounds.patches,
            sounds.dataset,
            model,
            context,
            s.progress,
        )
        s.write(version, registered)
        if not model:
            Path(report.path).write_bytes(registered.files["report.html"].read(s.store))
            # Kubeflow's launcher uploads every output, and fails where one is not there.
            Path(decision.path).write_text(registered.to_json())

    if not model:
        return

    with step("gate_model", run) as s:
        result = gate_model(s.store, registered, sounds, s.config(experiment), context, s.progress)
        Path(report.path).write_bytes(result.files["gate.html"].read(s.store))
        s.write(decision, result)
