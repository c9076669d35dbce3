"""Embeddings of every clip by a model that is there."""

from kfp import dsl

from earmark.components.images import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def export_embeddings(
    catalog: dsl.Input[dsl.Artifact],
    patches: dsl.Input[dsl.Artifact],
    model: str,
    kind: str,
    run: str,
    embeddings: dsl.Output[dsl.Artifact],
) -> None:
    """Embed every patch of every clip; Parquet in objects of about 32 MB.

    Args:
        catalog: the clips.
        patches: shards of frames, by the model's features.
        model: a registered version, or a package's folder.
        kind: raw (linear, float32), whitened, or uint8.
        run: the run's id.
        embeddings: patches and clips with their embeddings.
    """
    from earmark.components.adapter import step

    with step("export_embeddings", run) as s:
        from earmark.embeddings import About, export_embeddings
        from earmark.evaluation import model_of
        from earmark.registry import fetch_package
        from earmark.training.processes import visible_gpus

        s.gpus = min(1, visible_gpus())
        package = fetch_package(model)
        network = model_of(package.weights.read_bytes(), package.document)
        about = About(package.title, package.document["weights_sha256"], kind, "parquet")
        inputs = s.read(catalog), s.read(patches)
        s.write(embeddings, export_embeddings(s.store, *inputs, network, package.pca(), about, s.progress))
