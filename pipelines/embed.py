"""Sounds to embeddings by a registered model; no labels are needed."""

from earmark.components.export_embeddings import export_embeddings
from earmark.components.list_clips import list_clips
from earmark.pipelines.placement import place
from earmark.pipelines.steps import extract


def embed(data: str, experiment: str, model: str, kind: str, run: str) -> None:
    """Embeddings of a folder's sounds by a registered model.

    Args:
        data: folder of the sounds.
        experiment: the model's features, as canonical JSON.
        model: a registered version (``NAME/3``), or a package's folder.
        kind: raw (linear, float32), whitened, or uint8.
        run: id that groups this run's results.
    """
    listed = place(list_clips(data=data, run=run), "data")
    patches = extract(listed, experiment, run)
    place(
        export_embeddings(catalog=listed.outputs["catalog"], patches=patches, model=model, kind=kind, run=run),
        "register",
    )
