"""A trained network's embeddings of all clips, made once."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def embed_dataset(
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    dataset: dsl.Input[dsl.Artifact],
    experiment: str,
    run: str,
    embedded: dsl.Output[dsl.Artifact],
) -> None:
    """Embed every clip with the network that the experiment starts from, and tell which clips it knows already.

    Args:
        catalog: what each clip claims to be.
        patches: shards of frames, by the network's features.
        dataset: clips with labels and splits.
        experiment: the experiment as JSON; the base's train.init_from names the network.
        run: the run's id.
        embedded: the embeddings of every clip.
    """
    from earmark.components.adapter import step

    with step("embed_dataset", run) as s:
        from earmark.registry import fetch_source
        from earmark.training.processes import visible_gpus
        from earmark.transfer import embed_dataset, met_before

        s.gpus = min(1, visible_gpus())
        config = s.config(experiment)
        source = fetch_source(str(config.train.init_from))
        inputs = s.read(dataset), s.read(patches)
        met = met_before(s.store, source, s.read(catalog), inputs[0])
        if met:
            s.progress.note(met)
        s.write(embedded, embed_dataset(s.store, *inputs, source, config.evaluate, s.progress))
