"""Table 3: how many labels a network learns, with and without a bottleneck, scored on the labels that all learned."""

from __future__ import annotations

from collections.abc import Sequence

from earmark.architectures.paper import PAPER_TABLE_3
from earmark.evaluation.report import numbers
from earmark.evaluation.report.studied import Cell, Chart, Study
from earmark.evaluation.studies.trained import SCORE_COLUMNS, Trained, by_score, published, scores

COLUMNS = ("Bottleneck", "Labels learned", "Clips", "Weights", *SCORE_COLUMNS)


def study(found: Sequence[Trained]) -> Study:
    """The variants as rows of Table 3."""
    counted = found[0].config.evaluate.labels or found[0].facts["labels"]
    return Study(
        title="What more labels and a bottleneck do",
        intro=f"Each network learned its own labels and is scored on the {counted} most frequent ones, which all of "
        "them learned, and on the clips that carry one of these.",
        columns=COLUMNS,
        rows=[
            [
                Cell(_bottleneck(trained.config.architecture.bottleneck)),
                Cell(numbers.whole(trained.facts["labels"])),
                Cell(numbers.whole(trained.facts["train_clips"])),
                Cell(numbers.compact(trained.network.weights)),
                *scores(trained.network),
            ]
            for trained in found
        ],
        caption="A network that learns fewer labels learns from fewer clips, too: from those that carry one of them. "
        "The paper found more labels slightly better and calls it weak support; its rows are not in order either.",
        paper_title="Table 3 of the paper: ResNet-50, always scored on 400 labels",
        paper_columns=("Bottleneck", "Trained on", *SCORE_COLUMNS),
        paper_rows=[
            [_bottleneck(row.bottleneck), numbers.whole(row.trained_on), *published(row.auc, row.d_prime, row.map)]
            for row in PAPER_TABLE_3
        ],
        charts=[chart] if len((chart := _chart(found)).series[0].points) > 1 else [],
    )


def _chart(found: Sequence[Trained]) -> Chart:
    sizes = dict.fromkeys(trained.config.architecture.bottleneck for trained in found)
    lines = [
        by_score(
            f"bottleneck {size}" if size else "no bottleneck",
            [(t.facts["labels"], t.network.test["map"]) for t in found if t.config.architecture.bottleneck == size],
        )
        for size in sizes
    ]
    return Chart("Test mAP by labels learned", "labels learned", "mAP", lines)


def _bottleneck(size: int | None) -> str:
    return "no" if size is None else f"{size}-d"
