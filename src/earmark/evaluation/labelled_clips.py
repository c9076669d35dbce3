"""Which clips of labelled sound a model can be scored on: labels that both know, clips that it was not made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from earmark.catalog import Clip, Dataset
from earmark.catalog.content import column
from earmark.config import FeatureSpec
from earmark.errors import UserError
from earmark.store import Manifest, Store
from earmark.store.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa

TRAINED, OTHER = "trained on", "no label that the model knows"
SHOWN = 6


@dataclass(frozen=True)
class Packaged:
    """A model as its package holds it.

    Attributes:
        title: what people call it.
        weights: safetensors.
        document: ``model.json``.
        clips: what it was made of (sha256, split), None where the package does not tell.
    """

    title: str
    weights: bytes
    document: Mapping[str, Any]
    clips: pa.Table | None


def match_labels(package: Packaged, dataset: Dataset, data: str) -> list[int | None]:
    """Of each label of the data, which of the model's it is: the one of its id, else of its name.

    Raises:
        UserError: no label in common, or frames that are not the model's.
    """
    if not package.document["labels"]:
        raise UserError(f"{package.title} has no labels, it only embeds: give a model that tags")
    names, ids = list(package.document["labels"]), package.document.get("label_ids") or package.document["labels"]
    by_id, by_name = ({key: at for at, key in enumerate(keys)} for keys in (ids, names))
    places = [by_id.get(own, by_name.get(name)) for own, name in zip(dataset.label_ids, dataset.labels, strict=True)]
    if all(place is None for place in places):
        raise UserError(
            f"{package.title} knows none of the labels of {data}: it knows {_some(names)}, the data has "
            f"{_some(dataset.labels)}; name the data's labels as the model does (folders, or a CSV's column label)"
        )
    spec = FeatureSpec.model_validate(package.document["features"])
    if spec != dataset.frames.spec:
        raise UserError(
            f"{package.title} hears by features {spec.model_dump()}, the patches are "
            f"{dataset.frames.spec.model_dump()}: extract the features again with the model's own"
        )
    return places


def choose_clips(
    store: Store,
    package: Packaged,
    catalog: Manifest,
    dataset: Dataset,
    places: Sequence[int | None],
    include_trained: bool,
) -> tuple[list[Clip], list[dict[str, str]]]:
    """The clips to score, their labels by the model's indices, and those that are left out, with the reason."""
    known = {} if include_trained else made_of(store, package, catalog) or {}
    clips, left_out = [], []
    for clip in dataset.clips("test"):
        labels = tuple(sorted({place for label in clip.labels if (place := places[label]) is not None}))
        if clip.clip_id in known:
            left_out.append({"clip_id": clip.clip_id, "why": TRAINED, "detail": f"in its {known[clip.clip_id]} part"})
        elif not labels:
            names = ", ".join(dataset.labels[label] for label in clip.labels)
            left_out.append({"clip_id": clip.clip_id, "why": OTHER, "detail": names})
        else:
            clips.append(replace(clip, labels=labels))
    return clips, sorted(left_out, key=lambda row: row["clip_id"])


def made_of(store: Store, package: Packaged, catalog: Manifest) -> dict[str, str] | None:
    """Clips of the catalog whose file the model was trained or chosen on, with the part; None if it does not tell."""
    if package.clips is None:
        return None
    rows = zip(column(package.clips, "sha256"), column(package.clips, "split"), strict=True)
    part = {sha256: split for sha256, split in sorted(rows, key=str) if split in ("train", "validation")}
    table = read_table(catalog.files["clips.parquet"].read(store))
    both_ids = zip(column(table, "clip_id"), column(table, "sha256"), strict=True)
    return {clip_id: part[sha256] for clip_id, sha256 in both_ids if sha256 in part}


def sides(package: Packaged, dataset: Dataset, places: Sequence[int | None]) -> dict[str, list[str]]:
    """Labels by who knows them."""
    names = list(package.document["labels"])
    common = sorted({place for place in places if place is not None})
    return {
        "common": [names[place] for place in common],
        "model_only": [name for place, name in enumerate(names) if place not in common],
        "data_only": [name for name, place in zip(dataset.labels, places, strict=True) if place is None],
    }


def nothing_left(
    package: Packaged, data: str, left_out: Sequence[Mapping[str, str]], findings: Mapping[str, int]
) -> UserError:
    """Why no clip can be scored."""
    trained = sum(row["why"] == TRAINED for row in left_out)
    if trained:
        return UserError(
            f"{package.title} was trained or chosen on {trained} of the {len(left_out)} clips of {data}, and no other "
            "can be scored: give clips that it never met, or --include-trained to see how well it remembers"
        )
    told = ", ".join(f"{count} {finding}" for finding, count in findings.items())
    return UserError(f"no clip of {data} can be scored ({told or OTHER}): give other clips")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
