"""Training of one variant."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def train_model(
    dataset: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    experiment: str,
    variant: str,
    run: str,
    checkpoint: dsl.Output[dsl.Artifact],
) -> None:
    """Train one network, going on from its last checkpoint if there is one.

    Args:
        dataset: clips with labels and splits.
        patches: shards of frames.
        experiment: the experiment as JSON.
        variant: which variant of the experiment.
        run: the run's id.
        checkpoint: the trained weights, or the cause why there are none.
    """
    from earmark.components.adapter import step

    with step("train_model", run, variant, failure=checkpoint) as s:
        from earmark.registry import fetch_package
        from earmark.training import train_model
        from earmark.training.processes import used_gpus

        s.gpus = used_gpus()
        inputs = s.read(dataset), s.read(patches)
        context = s.context(experiment, inputs[0])
        config = s.config(experiment)
        start = config.train.init_from or ""
        initial = fetch_package(start).folder if start.startswith("models:/") else None
        trained = train_model(s.store, *inputs, variant, config, context, s.progress, initial, s.earlier())
        s.write(checkpoint, trained)
