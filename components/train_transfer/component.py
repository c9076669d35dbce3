"""Training of one variant of a transfer: a head on stored embeddings, or a network."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def train_transfer(
    dataset: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    embedded: dsl.Input[dsl.Artifact],
    experiment: str,
    variant: str,
    run: str,
    checkpoint: dsl.Output[dsl.Artifact],
) -> None:
    """Train a head where all stages are frozen or there is no sound, else a network, from the named one or from none.

    Args:
        dataset: clips with labels and splits.
        patches: shards of frames.
        embedded: the embeddings of every clip.
        experiment: the experiment as JSON.
        variant: which variant of the experiment.
        run: the run's id.
        checkpoint: the trained weights, or the cause why there are none.
    """
    from earmark.components.adapter import step

    with step("train_transfer", run, variant, failure=checkpoint) as s:
        from earmark.transfer import is_head

        config = s.config(experiment)
        start = config.train.init_from or ""
        inputs = s.read(dataset), s.read(patches)
        context = s.context(experiment, inputs[0])
        if is_head(config, inputs[1]):
            from earmark.registry import fetch_source
            from earmark.transfer import train_head

            source = fetch_source(start) if start else None
            trained = train_head(s.store, inputs[0], s.read(embedded), source, variant, config, context, s.progress)
        else:
            from earmark.registry import fetch_package
            from earmark.training import train_model
            from earmark.training.processes import used_gpus
            from earmark.transfer import fit_batch

            s.gpus = used_gpus()
            initial = fetch_package(start).folder if start.startswith("models:/") else None
            config = fit_batch(s.store, *inputs, config, max(1, s.gpus), s.progress)
            trained = train_model(s.store, *inputs, variant, config, context, s.progress, initial, s.earlier())
        s.write(checkpoint, trained)
