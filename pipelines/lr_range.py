"""``earmark lr-range``: the learning-rate range test of one network on one dataset, its table and its plot."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.architectures import compare_request
from earmark.config import merge
from earmark.pipelines.local import open_place
from earmark.pipelines.terminal import print_json, print_table
from earmark.progress import Progress
from earmark.store import open_store

if TYPE_CHECKING:
    from earmark.training.range_test import RangeTest

TABLE_EVERY = 5


def show_lr_range(data: str, preset: str, architecture: str, patch: Mapping[str, Any], work: str, json: bool) -> None:
    """Prepare the data by the same steps as training, run the test, print what it found and where its plot is."""
    experiment = compare_request(preset, merge({"train": {"steps": 1}}, patch), [architecture])
    config = experiment.variant(architecture)

    from earmark.catalog import Dataset, assemble_dataset, build_catalog
    from earmark.features import extract_features
    from earmark.training.range_test import learning_rate_range

    place = open_place(work)
    store = open_store(place.environment()["EARMARK_STORE"])
    root = str(Path(data).expanduser().absolute()) if "://" not in data else data

    def told(step: str) -> Progress:
        return Progress(step, stream=sys.stderr)

    catalog = build_catalog(store, root, config.data, told("build_catalog"))
    patches = extract_features(store, catalog, config.features, config.data, told("extract_features"))
    dataset = assemble_dataset(store, catalog, patches, config.data, told("assemble_dataset"))
    found = learning_rate_range(Dataset.open(store, dataset, patches), config, told(f"lr-range/{architecture}"))
    plot = place.work / "lr-range" / f"{architecture}-{preset}-{dataset.digest[:8]}.png"
    draw(found, f"{architecture}, preset {preset}, width {config.architecture.width:g}, {Path(data).name}", plot)
    if json:
        print_json({**asdict(found), "architecture": architecture, "preset": preset, "plot": str(plot)})
        return
    points = list(zip(found.learning_rates, found.losses, found.smoothed, strict=True))
    rows = [[f"{rate:.1e}", f"{loss:.4f}", f"{smoothed:.4f}"] for rate, loss, smoothed in points[::TABLE_EVERY]]
    title = f"{architecture}, {len(points)} steps"
    print_table(title, ("learning rate", "loss", "smoothed"), rows)
    best = (
        "no rate suggested" if found.suggested is None else f"suggested: --set train.learning_rate={found.suggested:g}"
    )
    print(f"{best} ({found.reason})")
    print(f"plot: {plot}")


def draw(found: RangeTest, title: str, path: Path) -> None:
    """Loss against rate as a PNG: each step faint, the smoothed line, the suggestion marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), dpi=130, layout="constrained")
    axes = figure.subplots()
    axes.plot(found.learning_rates, found.losses, ".", color="0.7", markersize=4, label="each step")
    axes.plot(found.learning_rates, found.smoothed, color="#1f5fa8", linewidth=2, label="smoothed")
    if found.suggested is not None:
        axes.axvline(found.suggested, color="#c4501b", linestyle="--", linewidth=1.2)
        axes.annotate(
            f" suggested {found.suggested:g}",
            (found.suggested, 1.0),
            xycoords=("data", "axes fraction"),
            va="top",
            color="#c4501b",
            xytext=(2, -6),
            textcoords="offset points",
        )
    # Where training breaks, losses grow without bound: what is of interest lies below.
    low, first = min(found.smoothed), found.smoothed[0]
    axes.set_ylim(min(low, min(found.losses)) - 0.05 * first, max(first * 1.25, low + 1.5 * (first - low)))
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
