"""Table 4: smaller and smaller parts of the training clips at the same number of steps."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.architectures.paper import PAPER_TABLE_4
from earmark.evaluation.report import numbers
from earmark.evaluation.report.studied import Cell, Chart, Study
from earmark.evaluation.studies.trained import SCORE_COLUMNS, Trained, by_score, curves, published, scores

COLUMNS = ("Clips", "Patches", "Epochs", *SCORE_COLUMNS, "Training loss", "Validation mAP, best", "at the end")
PAPER_STEPS, PAPER_BATCH, PATCHES_A_VIDEO = 16e6, 128, 2e10 / 70e6
"""What Table 4's rows were trained for, and how many patches of 0.96 s a video has (4.6 minutes)."""


def study(found: Sequence[Trained]) -> Study:
    """The variants as rows of Table 4."""
    steps = found[0].network.steps
    return Study(
        title="What more data does",
        intro=f"Each network learned for {numbers.whole(steps)} steps, from fewer and fewer of the training clips; "
        "each part holds the smaller ones, and every label is in all of them.",
        columns=COLUMNS,
        rows=[
            [
                Cell(numbers.whole(trained.facts["train_clips"])),
                Cell(numbers.whole(trained.facts["train_patches"])),
                Cell(_epochs(trained.network.steps * trained.config.train.batch_size / trained.facts["train_patches"])),
                *scores(trained.network),
                Cell(numbers.score(trained.loss)),
                *_validated(trained.validation_map),
            ]
            for trained in found
        ],
        caption=_caption(found),
        paper_title="Table 4 of the paper: ResNet-50, 3,087 labels, 16 million steps",
        paper_columns=("Videos", "Patches", "Epochs", *SCORE_COLUMNS),
        paper_rows=[
            [
                numbers.compact(row.videos),
                numbers.compact(row.videos * PATCHES_A_VIDEO),
                _epochs(PAPER_STEPS * PAPER_BATCH / (row.videos * PATCHES_A_VIDEO)),
                *published(row.auc, row.d_prime, row.map),
            ]
            for row in PAPER_TABLE_4
        ],
        charts=[*_charts(found), *curves(found)],
    )


def _charts(found: Sequence[Trained]) -> list[Chart]:
    line = by_score("test mAP", [(t.facts["train_clips"], t.network.test["map"]) for t in found])
    return [Chart("Test mAP by training clips", "training clips", "mAP", [line], log_x=True)] if line.points else []


def _validated(values: Sequence[float]) -> list[Cell]:
    if not values:
        return [Cell(numbers.NONE), Cell(numbers.NONE)]
    return [Cell(numbers.score(max(values))), Cell(numbers.score(values[-1]))]


def _caption(found: Sequence[Trained]) -> str:
    told = (
        "Epochs are how often the steps draw each patch on average. A network that learns its clips by heart has a low "
        "training loss, and its validation mAP ends below its best. The paper's last two rows did so, without any "
        "regularisation."
    )
    fallen = [t.name for t in found if t.validation_map and max(t.validation_map) - t.validation_map[-1] > 0.02]
    return (
        f"{told} Here validation mAP fell by more than 0.02 from its best for {', '.join(fallen)}." if fallen else told
    )


def _epochs(epochs: float) -> str:
    return f"{epochs:.2f}" if epochs < 1 else f"{epochs:,.1f}" if epochs < 10 else f"{epochs:,.0f}"
