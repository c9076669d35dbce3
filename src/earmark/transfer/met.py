"""Which clips a trained network knows already: on those its embeddings look better than on clips that are new to it."""

from __future__ import annotations

from earmark.catalog.content import column
from earmark.evaluation.labelled_clips import Packaged, made_of
from earmark.store import Manifest, Store
from earmark.store.tables import read_table


def met_before(store: Store, source: Packaged, catalog: Manifest, dataset: Manifest) -> str:
    """A line on the test and validation clips that the network was trained or chosen on; empty where there are none.

    Args:
        store: of the results.
        source: the network.
        catalog: the clips' files.
        dataset: their parts.
    """
    known = made_of(store, source, catalog)
    if not known:
        return ""
    table = read_table(dataset.files["dataset.parquet"].read(store))
    judged = [
        clip
        for clip, split in zip(column(table, "clip_id"), column(table, "split"), strict=True)
        if split != "train" and clip in known
    ]
    if not judged:
        return ""
    return (
        f"{source.title} was trained or chosen on {len(judged)} of the clips that are scored here ({judged[0]}, …): "
        "its embeddings look better on them than on new ones; take other clips, or a network that never met these"
    )
