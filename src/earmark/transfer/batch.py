"""The batch of a network that learns from few clips."""

from __future__ import annotations

from earmark.catalog import Dataset
from earmark.config import Config
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.store import Manifest, Store


def fit_batch(
    store: Store, dataset: Manifest, patches: Manifest, config: Config, processes: int, progress: Progress
) -> Config:
    """The config with a batch of at most the patches that there are to draw from; the steps stay the same.

    Args:
        store: of the results.
        dataset: clips and labels.
        patches: their frames.
        config: of the variant.
        processes: how many share a batch.
        progress: told of a smaller batch.

    Raises:
        UserError: there are fewer patches than processes.
    """
    opened = Dataset.open(store, dataset, patches).learned(config.train)
    size = config.train.batch_size
    # A clip has a patch at least: usually there is no need to count them.
    if size <= len(opened.clips("train")):
        return config
    from earmark.training.batches import eligible

    count = len(eligible(opened, config))
    if size <= count:
        return config
    fitting = count - count % processes
    if not fitting:
        raise UserError(
            f"train.clips_per_label {config.train.clips_per_label} leaves {count} patches, fewer than the {processes} "
            "processes that share a batch: give more clips a label, or fewer processes"
        )
    progress.note(f"train.batch_size {fitting} in place of {size}: its clips have {count} patches")
    own = {"batch_size": fitting, "micro_batch_size": None}
    return config.model_copy(update={"train": config.train.model_copy(update=own)})
