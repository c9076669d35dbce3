"""The experiments of the paper's Tables 3 and 4: label sets with and without a bottleneck, and a ladder of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from earmark.architectures import compare_request
from earmark.catalog import Extent, read_extent
from earmark.config import Config, Experiment, Variant, make_config, merge
from earmark.errors import UserError

PATCHES_A_CLIP = 5
"""What a clip is taken to have before it is decoded: five seconds, as in ESC-50."""
ONE_NETWORK = "this is the checkpoint of one network and several are trained: leave it out"


def labels_request(
    data: str, preset: str, architecture: str, patch: Mapping[str, Any], sizes: str, bottleneck: int
) -> Experiment:
    """Label-set sizes with and without a bottleneck, all scored on the smallest set.

    Args:
        data: where the clips are.
        preset: modern, quick or paper.
        architecture: the network.
        patch: nested values over the preset.
        sizes: ``all,20,5``; empty takes all labels, half and a quarter of them.
        bottleneck: units of the bottleneck.

    Raises:
        UserError: sizes that cannot be, a field that the study sets itself, or as ``compare_request``.
    """
    _refuse(patch, "labels", ("train.resume_from",), ONE_NETWORK)
    _refuse(patch, "labels", ("train.labels", "evaluate.labels", "architecture.bottleneck"))
    if bottleneck < 1:
        raise UserError(f"--bottleneck {bottleneck}: give a number of at least 1")
    there = read_extent(data, make_config(preset, patch).data).labels
    wanted = _sizes(sizes, there, data)
    counted = {"evaluate": {"labels": min(wanted)}} if min(wanted) < there else {}
    plain = compare_request(preset, merge(patch, counted), [architecture])
    variants = [
        (
            f"labels-{size}{f'.bottleneck-{units}' if units else ''}",
            {"train": {"labels": size if size < there else None}, "architecture": {"bottleneck": units}},
        )
        for units in (None, bottleneck)
        for size in wanted
    ]
    return _experiment("labels", plain, variants)


def data_request(
    data: str, preset: str, architecture: str, patch: Mapping[str, Any], factor: float, rungs: int | None
) -> Experiment:
    """Smaller and smaller parts of the training clips, each by ``factor``, at the same number of steps.

    Raises:
        UserError: a factor or rungs that cannot be, a field that the study sets itself, no number of steps, or as
            ``compare_request``.
    """
    _refuse(patch, "data", ("train.resume_from",), ONE_NETWORK)
    _refuse(patch, "data", ("train.clip_share", "train.clips_per_label"))
    _refuse(patch, "data", ("train.epochs", "train.minutes"), "every rung trains for the same number of steps: --steps")
    if factor <= 1:
        raise UserError(f"--factor {factor:g}: give a number above 1; each rung has so many times fewer clips")
    if rungs is not None and rungs < 2:
        raise UserError(f"--rungs {rungs}: give a number of at least 2")
    config = make_config(preset, patch)
    count = rungs or _rungs(read_extent(data, config.data), factor, config)
    plain = compare_request(preset, patch, [architecture])
    variants = [
        (f"1-in-{factor**rung:g}" if rung else "all-clips", {"train": {"clip_share": 1 / factor**rung}})
        for rung in range(count)
    ]
    return _experiment("data", plain, variants)


def _experiment(question: Any, plain: Experiment, variants: Sequence[tuple[str, Mapping[str, Any]]]) -> Experiment:
    """The one network of an experiment as variants, each of them checked."""
    [network] = plain.variants
    made = tuple(Variant(name=name, patch=merge(network.patch, values)) for name, values in variants)
    experiment = Experiment(question=question, base=plain.base, variants=made)
    for variant in made:
        experiment.variant(variant.name)
    return experiment


def _sizes(text: str, there: int, data: str) -> list[int]:
    """Sizes of label sets, the largest first."""
    if there < 2:
        raise UserError(f"{data} has {there} label: label sets need two or more")
    if not text.strip():
        return sorted({max(2, there // part) for part in (1, 2, 4)}, reverse=True)
    sizes = []
    for word in (part.strip() for part in text.split(",") if part.strip()):
        if word != "all" and not word.isdecimal():
            raise UserError(f"--sizes {text}: {word!r} is neither a number nor all; write it as all,20,5")
        size = there if word == "all" else int(word)
        if not 2 <= size <= there:
            raise UserError(f"--sizes {text}: {size} labels cannot be: {data} has {there}; give 2 to {there}, or all")
        sizes.append(size)
    if len(set(sizes)) < len(sizes):
        raise UserError(f"--sizes {text} names a size twice ({data} has {there} labels)")
    return sorted(sizes, reverse=True)


def _rungs(there: Extent, factor: float, config: Config) -> int:
    """As many as leave about a batch of patches and one clip a label; two at least."""
    least = max(there.labels, config.train.batch_size / PATCHES_A_CLIP)
    rungs = 1
    while there.train_clips / factor**rungs >= least:
        rungs += 1
    return max(2, rungs)


def _refuse(patch: Mapping[str, Any], study: str, fields: Sequence[str], why: str = "") -> None:
    for field in fields:
        part, _, name = field.partition(".")
        if patch.get(part, {}).get(name) is not None:
            raise UserError(
                f"config {field} is what `run {study}` changes: leave it out" if not why else f"config {field}: {why}"
            )
