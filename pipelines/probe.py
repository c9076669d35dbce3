"""Heads on embeddings that came without sound, as a pipeline: Audio Set's published ones."""

from typing import List  # noqa: UP035  (KFP reads the annotation and knows typing.List)

from earmark.components.read_embeddings import read_embeddings
from earmark.pipelines.placement import place
from earmark.pipelines.steps import Found, rank_and_register
from earmark.pipelines.transfer import over_methods


def probe(data: str, experiment: str, variants: List[str], run: str) -> None:  # noqa: UP006
    """Heads on published embeddings, compared; nothing is registered, since there is no network for sound.

    Args:
        data: folder of the TFRecords.
        experiment: base config and variants as canonical JSON.
        variants: names of the variants, in the experiment's order.
        run: id that groups this run's results and MLflow runs.
    """
    read = place(read_embeddings(data=data, run=run), "data")
    dataset, embedded, patches = (read.outputs[name] for name in ("dataset", "embedded", "patches"))
    made = over_methods(dataset, patches, embedded, experiment, variants, run)
    # The dataset says where it came from, too.
    rank_and_register(Found(dataset, patches), dataset, made, experiment, "", run)
