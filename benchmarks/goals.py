"""The goals that the benchmarks answer: a ratio within one run, the worst that is acceptable and what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.harness import Figure
from benchmarks.results import shown, verdict


@dataclass(frozen=True)
class Goal:
    """One row of the table; figures name it by its number."""

    number: int
    what: str
    floor: str
    wanted: str


GOALS = [
    Goal(
        1,
        "Ogg to patches, one core, against VGGish's reference arithmetic",
        "12x",
        "15x (1,000 times real time)",
    ),
    Goal(2, "the same against soundfile + torchaudio / librosa", "1.3x / 1.5x", "1.5x / 1.75x"),
    Goal(3, "WAV to patches against VGGish / torchaudio / librosa", "35x / 1.4x / 1.9x", "45x / 1.65x / 2.2x"),
    Goal(4, "log-mel from 16 kHz against VGGish's NumPy / torchaudio", "4x / 1.6x", "5.5x / 2.3x"),
    Goal(5, "extraction with a thread a core", "0.85 x cores", "0.94 x cores"),
    Goal(
        6,
        "agreement in log-mel units: same waveform, max / mean; resampler, mean",
        "5e-4 / 1e-6; 2e-4",
        "3e-4 / 3e-7; 5e-5",
    ),
    Goal(
        7,
        "random batches of 128 over all patches, a core, uint8 / float16",
        "500,000 / 250,000 patches/s",
        "1.2 M / 550,000; 13x MDS, 90x WebDataset, 8x a DataLoader of single items",
    ),
    Goal(8, "cold random reads against the disk's sequential rate", "60 %", "95 %"),
    Goal(
        9,
        "sampling: chi2/dof of the class mix; resuming",
        "0.9 to 1.1; the same batches after a restart",
        "the same with any number of processes, no state but (seed, step)",
    ),
    Goal(
        10,
        "object store to node, shards of 16 to 64 MB, against one big GET",
        "70 %",
        "95 %, no GET of a single patch",
    ),
    Goal(
        11,
        "training step on CPUs with AMX against fp32 eager",
        "2x on every network",
        "FC 2.6x, AlexNet 3.9x, VGG 3.4x, Inception 5x, ResNet 4.2x",
    ),
    Goal(
        12,
        "training step on any CPU (fp32, channels_last, fused Adam) against eager",
        "1x",
        "FC 1.7x, ResNet 1.8x, Inception 1.5x, AlexNet 1.3x",
    ),
    Goal(13, "a training step's wait for its batch", "2 %", "0.5 %"),
    Goal(
        14,
        "one H200, batch 128",
        "ResNet-50 12,000 patches/s",
        "ResNet-50 16,000, Inception 13,000, VGG 32,000, AlexNet 100,000",
    ),
    Goal(
        15,
        "mAP and AUC against scikit-learn, exact to 1e-12",
        "12x",
        "25x at 20k x 527, 35x at 1M rows; 1M x 3,087 in 40 s and 1 GiB beyond a block of scores",
    ),
    Goal(16, "fixed cost of a step without / with torch", "0.6 / 2.0 s", "0.3 / 1.3 s"),
    Goal(17, "all of ESC-10's workflow without training", "10 s", "4 s"),
]


def goals_table(figures: Sequence[Figure], machine: dict[str, Any]) -> str:
    """Every goal with the figures that answer it, as Markdown; where there are none, the reason."""
    lines = ["| # | goal | floor | wanted | measured | peer | reached |", "|--:|---|---|---|---|---|---|"]
    for goal in GOALS:
        head = f"| {goal.number} | {goal.what} | {goal.floor} | {goal.wanted} |"
        own = [figure for figure in figures if figure.goal == goal.number]
        lines += [f"{head} {figure.title}: {shown(figure)} | {figure.peer} | {_reached(figure)} |" for figure in own]
        if not own:
            lines.append(f"{head} – | – | {_absent(goal.number, machine)} |")
    return "\n".join(lines)


def _reached(figure: Figure) -> str:
    found = verdict(figure)
    return f"{found}: {figure.note}" if found not in ("yes", "") and figure.note else found


def _absent(number: int, machine: dict[str, Any]) -> str:
    """Why a goal has no figure."""
    if number == 11 and not machine["amx"]:
        return "this CPU has no AMX"
    if number == 14 and not any("H200" in name for name in machine["gpus"]):
        return f"no H200 here ({', '.join(machine['gpus']) or 'no GPU'})"
    return "not measured in this run"
