"""The Audio Set experiment: ways to use a trained network, by how many clips of each label there are to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from earmark.architectures.paper import PAPER_TRANSFER
from earmark.evaluation.report import numbers
from earmark.evaluation.report.studied import Cell, Chart, Study
from earmark.evaluation.studies.trained import SCORE_COLUMNS, Trained, by_score, published, scores

ALL = "all"
MEANING: Mapping[str, str] = {
    "dense": "dense model on its embeddings",
    "linear": "linear probe on its embeddings",
    "neighbours": "nearest neighbours by its embeddings",
    "finetune": "fine-tuned",
    "logmel-20": "dense model on log-mel, 200 ms",
    "logmel-96": "dense model on log-mel, 960 ms",
}
HEADS = frozenset({"dense", "linear", "neighbours"})
COLUMNS = ("Method", "Clips a label", "Training clips", "Time", *SCORE_COLUMNS)


def study(found: Sequence[Trained]) -> Study:
    """The variants as rows, methods × clips of each label."""
    return Study(
        title="What a trained network is worth on these clips",
        intro="Each method learned from so many training clips of each label, fewer being parts of more; all are "
        "scored on the same test clips.",
        columns=COLUMNS,
        rows=[
            [
                Cell(MEANING[_method(trained)]),
                Cell(_size(trained)),
                Cell(numbers.whole(trained.facts["train_clips"])),
                Cell(numbers.duration(trained.network.seconds)),
                *scores(trained.network),
            ]
            for trained in found
        ],
        words=2,
        caption=" ".join(line for line in (_first(found), *_differing(found), *_frozen(found)) if line),
        paper_title="The paper on Audio Set: ResNet-50 trained on 70 million videos, a dense model on more than a "
        "million clips",
        paper_columns=("Input", *SCORE_COLUMNS),
        paper_rows=[[row.title, *published(row.auc, row.d_prime, row.map)] for row in PAPER_TRANSFER],
        charts=[chart] if len({_clips_a_label(t) for t in found}) > 1 and (chart := _chart(found)).series else [],
    )


def _chart(found: Sequence[Trained]) -> Chart:
    lines = [
        by_score(method, [(_clips_a_label(t), t.network.test["map"]) for t in found if _method(t) == method])
        for method in dict.fromkeys(_method(t) for t in found)
    ]
    title = "Test mAP by training clips a label"
    return Chart(title, "clips a label", "mAP", [line for line in lines if line.points], log_x=True)


def _first(found: Sequence[Trained]) -> str:
    """Which method is first at each size, by the test clips."""
    told = []
    for size in dict.fromkeys(_size(t) for t in found):
        scored = [(t.network.test["map"].value, _method(t)) for t in found if _size(t) == size]
        known = [(value, method) for value, method in scored if value is not None]
        if len(known) > 1:
            value, method = max(known)
            clips = "all clips" if size == ALL else numbers.counted(int(size), "clip")
            told.append(f"with {clips}{' a label' if size != ALL else ''} {method} ({numbers.score(value)})")
    return f"First by test mAP: {'; '.join(told)}." if told else ""


def _differing(found: Sequence[Trained]) -> list[str]:
    """What methods differ in besides their name."""
    methods = {_method(t) for t in found}
    told = []
    if methods - HEADS:
        told.append(
            "Heads see each clip as it is, since embeddings are made once; networks on log-mel and the fine-tuned one "
            "were trained with the preset's augmentation."
        )
    if methods & {"logmel-20", "logmel-96"}:
        told.append(
            "The paper compared 200 ms of log-mel with embeddings of 960 ms, so its difference is partly one of "
            "context; against 960 ms of log-mel the context is the same."
        )
    return told


def _frozen(found: Sequence[Trained]) -> list[str]:
    counts = [t.config.train.freeze_stages for t in found if _method(t) == "finetune"]
    return [f"Fine-tuning kept the first {numbers.counted(int(count), 'stage')} as they were." for count in counts[:1]]


def _method(trained: Trained) -> str:
    return trained.name.rpartition(".")[0]


def _size(trained: Trained) -> str:
    return trained.name.rpartition(".")[2]


def _clips_a_label(trained: Trained) -> float:
    """The asked number; of all clips, their mean number a label."""
    asked = trained.config.train.clips_per_label
    return float(asked) if asked else trained.facts["train_clips"] / trained.facts["labels"]
