"""Sounds to embeddings by a registered model; no labels are needed."""

from kfp import dsl

from earmark.components.export_embeddings import export_embeddings
from earmark.components.extract_features import extract_features
from earmark.components.list_clips import list_clips
from earmark.pipelines.placement import place


@dsl.pipeline(name="embed", description="Embeddings of a folder's sounds by a registered model")
def embed(data: str, experiment: str, model: str, kind: str, run: str) -> None:
    """Clips to embeddings.

    Args:
        data: folder of the sounds.
        experiment: the model's features, as canonical JSON.
        model: a registered version (``NAME/3``), or a package's folder.
        kind: raw (linear, float32), whitened, or uint8.
        run: id that groups this run's results.
    """
    catalog = place(list_clips(data=data, run=run), "data").outputs["catalog"]
    patches = place(extract_features(catalog=catalog, experiment=experiment, run=run), "features").outputs["patches"]
    place(export_embeddings(catalog=catalog, patches=patches, model=model, kind=kind, run=run), "evaluate")
