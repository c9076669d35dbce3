"""What a run's variants were compared for, as a table beside the paper's: one module a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from earmark.config import Experiment
from earmark.evaluation.report import Network
from earmark.evaluation.report.studied import Cell, Chart, Series, Study
from earmark.evaluation.studies import data, labels, transfer, variants
from earmark.evaluation.studies.trained import Trained, trained_of
from earmark.store import Manifest

__all__ = ["Cell", "Chart", "Series", "Study", "Trained", "study_of"]

STUDIES: Mapping[str, Callable[[Sequence[Trained]], Study]] = {
    "labels": labels.study,
    "data": data.study,
    "transfer": transfer.study,
    "variants": variants.study,
}


def study_of(experiment: Experiment, networks: Sequence[Network], trained: Mapping[str, Manifest]) -> Study | None:
    """The table of an experiment's question; None where it is only which network is best, or nothing finished.

    Args:
        experiment: what was asked for.
        networks: those that were evaluated, in any order.
        trained: their checkpoints, by variant.
    """
    make = STUDIES.get(experiment.question)
    found = trained_of(experiment, networks, trained)
    return make(found) if make is not None and found else None
