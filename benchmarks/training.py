"""Training steps of the five networks: Earmark's against plain eager PyTorch, interleaved in one process.

python benchmarks/training.py [--networks resnet50,vgg] [--width 0.25] [--batch 64] [--labels 50] [--rounds 5] [--json]

"eager" is what a first script does: fp32, NCHW, ``torch.optim.Adam`` as it comes. Earmark's are its own parts, put
together as its loop does: channels_last, fused Adam, fp32 or bf16. A round times one step of each; ratios are medians
over rounds with the lowest and the highest. Times hold for this machine, ratios for its kind.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from earmark.architectures import create
from earmark.config import ARCHITECTURES, TrainConfig
from earmark.training.optimiser import Optimiser
from earmark.training.precision import autocast, faster_precision

Step = Callable[[], None]


def eager(name: str, args: argparse.Namespace, device: torch.device, x_BTF: torch.Tensor, y_BC: torch.Tensor) -> Step:
    network = create(name, args.labels, args.width).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    loss_of = nn.BCEWithLogitsLoss()

    def step() -> None:
        optimiser.zero_grad()
        loss_of(network(x_BTF), y_BC).backward()
        optimiser.step()

    return step


def earmark(
    name: str, args: argparse.Namespace, device: torch.device, x_BTF: torch.Tensor, y_BC: torch.Tensor
) -> tuple[dict[str, Step], str]:
    """A step in each precision on one network, and the precision that Earmark would choose."""
    network: nn.Module = create(name, args.labels, args.width).to(device)
    network = network.to(memory_format=torch.channels_last)
    optimiser = Optimiser(network, TrainConfig(optimiser="adam"))
    loss_of = nn.BCEWithLogitsLoss()

    def backward(trial: nn.Module, precision: str, size: int) -> None:
        with autocast(device, precision):
            logits_BC = trial(x_BTF[:size])
        torch.autograd.backward(loss_of(logits_BC.float(), y_BC[:size]))

    def stepper(precision: str) -> Step:
        def step() -> None:
            backward(network, precision, args.batch)
            optimiser.step(1e-4)

        return step

    chosen = faster_precision(network, device, backward)
    return {precision: stepper(precision) for precision in ("fp32", "bf16")}, chosen


def timed(step: Step, device: torch.device) -> float:
    started = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def compare(name: str, args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Milliseconds a step of each way, and how many times as fast as eager Earmark's are."""
    x_BTF = torch.randn(args.batch, 96, 64, device=device)
    y_BC = (torch.rand(args.batch, args.labels, device=device) < 0.1).float()
    ours, chosen = earmark(name, args, device, x_BTF, y_BC)
    ways = {"eager": eager(name, args, device, x_BTF, y_BC), **ours}
    slow = timed(ways["bf16"], device) > args.patience * timed(ways["fp32"], device) and chosen == "fp32"
    if slow:
        del ways["bf16"]  # no hardware for it: its time would be most of this benchmark's
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for step in ways.values():
        step()
    for turn in range(args.rounds):
        order = list(ways) if turn % 2 else list(reversed(ways))
        for way in order:
            seconds[way].append(timed(ways[way], device))
    found: dict[str, Any] = {"network": name, "chosen": chosen}
    for way, all_s in seconds.items():
        ratios = [base / own for base, own in zip(seconds["eager"], all_s, strict=True)]
        found[way] = {
            "ms": round(1000 * statistics.median(all_s), 1),
            "patches_per_s": round(args.batch / statistics.median(all_s), 1),
            "ratio": round(statistics.median(seconds["eager"]) / statistics.median(all_s), 2),
            "lowest": round(min(ratios), 2),
            "highest": round(max(ratios), 2),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(ARCHITECTURES))
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--patience", type=float, default=3.0, help="leave bf16 out where it is this much slower")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = []
    if not args.json:
        what = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
        print(f"{what}, torch {torch.__version__}, width {args.width:g}, batch {args.batch}: patches/s, times eager")
    for name in args.networks.split(","):
        row = compare(name, args, device)
        rows.append(row)
        if not args.json:
            cells = [
                f"{way} {row[way]['patches_per_s']:9.1f} {row[way]['ratio']:5.2f}x"
                f" ({row[way]['lowest']:.2f} to {row[way]['highest']:.2f})"
                for way in ("eager", "fp32", "bf16")
                if way in row
            ]
            print(f"  {name:16s} {'  '.join(cells)}  chosen: {row['chosen']}", flush=True)
    if args.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
