"""Audio Set's published embeddings as a dataset."""

from kfp import dsl

from earmark.components.images import STEPS_IMAGE


@dsl.component(base_image=STEPS_IMAGE, install_kfp_package=False)
def read_embeddings(
    data: str,
    run: str,
    dataset: dsl.Output[dsl.Artifact],
    embedded: dsl.Output[dsl.Artifact],
    patches: dsl.Output[dsl.Artifact],
) -> None:
    """Read the embeddings, labels and parts of a folder of TFRecords.

    Args:
        data: the folder.
        run: the run's id.
        dataset: clips with labels and splits.
        embedded: their embeddings.
        patches: of no frames, since there is no sound.
    """
    from earmark.components.adapter import step

    with step("read_embeddings", run) as s:
        from earmark.transfer import read_embeddings

        found = read_embeddings(s.store, data, s.progress)
        for artifact, manifest in zip((dataset, embedded, patches), found, strict=True):
            s.write(artifact, manifest)
