"""The figures of any run, from what its steps left in the store: the numbers that the report is drawn from, too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from earmark.errors import UserError, unknown_name
from earmark.evaluation.clips import SHADES, Clips, timeline_of
from earmark.evaluation.events import read_events, spans_of
from earmark.evaluation.gather import class_scores, readable
from earmark.evaluation.ranking import by_validation
from earmark.evaluation.report import ClassScore, Network, Sound, Timeline, curves, media, paint, prior, style, timeline
from earmark.evaluation.report.sheets import classes_csv, curves_csv, timeline_csv
from earmark.store import Manifest, Store, open_store
from earmark.store.runs import results_of

if TYPE_CHECKING:
    from earmark.evaluation.model import Model

MOST_LETTERS = 100
"""Of a clip's path in the name of its files."""


@dataclass(frozen=True)
class Figures:
    """What is drawn of a run; ``network`` is the one whose labels and outputs are shown."""

    network: str
    classes: Sequence[ClassScore]
    networks: Sequence[Network]
    """All that were trained, with their curves; none where a model was only scored."""
    timelines: Sequence[Timeline]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file."""
        yield from _files("prior", prior.draw(self.classes, self.network), classes_csv(self.classes))
        if self.networks:
            yield from _files("curves", curves.both(self.networks), curves_csv(self.networks))
        yield from timeline_files(self.timelines)


def timeline_files(timelines: Sequence[Timeline]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of timelines, each named by its clip."""
    names: list[str] = []
    for each in timelines:
        clip = str(PurePosixPath(each.sound.clip).with_suffix(""))
        names.append(re.sub(r"[^A-Za-z0-9._-]+", "-", clip).strip("-.")[:MOST_LETTERS])
        again = names.count(names[-1])
        name = f"timeline-{names[-1]}" + (f"-{again}" if again > 1 else "")
        yield from _files(name, timeline.draw(each), timeline_csv(each))


def figures_of(store: Store, run: str, network: str | None = None) -> Figures:
    """What there is to draw of a run.

    Args:
        store: of the results.
        run: its whole id.
        network: whose labels and outputs; by default the first by validation. Of a cross-validation a network's name
            means its pooled scores (of the best one: others are pooled into no table of labels), a model's name
            its own.

    Raises:
        UserError: no network was scored yet, or none has that name.
    """
    results = results_of(store, run)
    whole = [m for m in results.values() if m.failed is None]
    scored = [m for m in whole if "metrics.json" in m.files and "timelines.json" in m.files]
    if not scored:
        raise UserError(f"run {run} has scored no network (yet): there is nothing to draw")
    if all("validation" in m.facts for m in scored):
        scored = by_validation(scored)
    by_name = {_name(m): m for m in scored}
    tables = _pooled(store, results.get("pool_models"))
    pooled = tables["network"] if tables else None
    name = network or pooled or next(iter(by_name))
    if name not in by_name and name != pooled:
        raise unknown_name("network", name, [*([pooled] if pooled else []), *by_name])
    # Moments are of one model, also where labels are of several.
    shown = by_name[name] if name in by_name else next(m for n, m in by_name.items() if n.startswith(f"{name}."))
    document = json.loads(shown.files["metrics.json"].read(store))
    rows = tables["classes"] if tables and name == pooled else document["test"]["classes"]
    trained = {m.facts["variant"]: m for m in whole if "curves.json" in m.files}
    order = [n for n in by_name if n in trained] + [n for n in trained if n not in by_name]
    return Figures(
        name,
        class_scores(readable([row["label"] for row in rows]), rows),
        [_network(store, trained[n]) for n in order],
        _timelines(store, shown, document, whole),
    )


def timeline_of_file(model: Model, path: Path) -> Timeline:
    """A model's outputs over the loudest ten seconds of a file; true times where the file lies in a made corpus.

    Raises:
        UserError: the file is not there, or has no frames.
    """
    from earmark.evaluation.timelines import timeline_of_frames
    from earmark.features import dequantise, frames_of, quantise

    try:
        frames_TF, facts = frames_of(path.read_bytes(), model.features)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if facts.reason is not None:
        raise UserError(f"{path.name}: {facts.reason}")
    labels = readable(model.labels)
    row = timeline_of_frames(model, frames_TF, facts.seconds, [])
    first, last = (round(s * 100) for s in (row["start_s"], row["start_s"] + row["seconds"]))
    shades_TF = quantise(dequantise(frames_TF[first:last], model.features), SHADES)
    sound = Sound(path.name, row["start_s"], row["seconds"], media.log_mel_png(shades_TF), None)
    whole = path.absolute()
    # A made corpus has its scenes in a folder of their own.
    roots = [open_store(str(folder)) for folder in whole.parents[:2]]
    uris = [whole.name, f"{whole.parent.name}/{whole.name}"]
    times = (spans_of(read_events(r), uri, sound.start_s, sound.seconds) for r, uri in zip(roots, uris, strict=False))
    found = next((spans for spans in times if spans), {})
    spans = {labels[model.labels.index(label)]: found[label] for label in found if label in model.labels}
    outputs = {labels[output["label"]]: output["scores"] for output in row["outputs"]}
    return Timeline(sound, list(spans), row["times_s"], outputs, spans)


def _files(name: str, drawing: Markup | None, numbers: bytes) -> Iterator[tuple[str, bytes]]:
    """A figure that has something to show as SVG and PNG, and its numbers."""
    if drawing is not None:
        yield f"{name}.svg", style.alone(drawing)
        yield f"{name}.png", paint.png(drawing)
    yield f"{name}.csv", numbers


def _name(scored: Manifest) -> str:
    return str(scored.facts.get("variant") or scored.facts["model"])


def _pooled(store: Store, pooled: Manifest | None) -> Mapping[str, Any] | None:
    """The tables of a cross-validation's best network, None where no network is whole."""
    if pooled is None or pooled.failed is not None:
        return None
    tables: Mapping[str, Any] | None = json.loads(pooled.files["pooled.json"].read(store))["tables"]
    return tables


def _network(store: Store, trained: Manifest) -> Network:
    """A network with its curves and without scores."""
    points = json.loads(trained.files["curves.json"].read(store))
    names = dict.fromkeys(name for point in points["validation"] for name in point if name != "step")
    return Network(
        variant=trained.facts["variant"],
        architecture=trained.facts["name"],
        steps=trained.facts["steps"],
        seconds=trained.facts["seconds"],
        weights=trained.facts["weights"],
        multiplies=trained.facts["multiplies"],
        test={},
        validation={},
        classes=(),
        train_curve=[(point["step"], point["loss"]) for point in points["train"]],
        validation_curves={
            name: [(p["step"], p[name]) for p in points["validation"] if p.get(name) is not None] for name in names
        },
    )


def _timelines(
    store: Store, shown: Manifest, document: Mapping[str, Any], results: Sequence[Manifest]
) -> list[Timeline]:
    """The clips that were shown when the network was scored; without a picture where their file is gone."""
    rows = json.loads(shown.files["timelines.json"].read(store))["clips"]
    wanted = {row["clip_id"] for row in rows}
    labels = readable(document.get("labels") or [row["label"] for row in document["test"]["classes"]])
    patches = next(m for m in results if "spec" in m.facts and "facts.parquet" in m.files)
    for dataset in (m for m in results if "dataset.parquet" in m.files):
        clips = Clips(dataset.facts["data"], store, dataset, patches.facts["spec"]["resampler"])
        if wanted <= clips.known:
            break
    else:
        return []
    found = []
    for row in rows:
        part = (row["start_s"], row["seconds"])
        sound = clips.sound(row["clip_id"], part) or Sound(row["clip_id"], *part, "", None)
        found.append(timeline_of(row, sound, clips, labels))
    return found
