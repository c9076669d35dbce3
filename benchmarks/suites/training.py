"""Training steps of the five networks: Earmark's against plain eager PyTorch, interleaved in one process.

"Eager" is what a first script does: fp32, NCHW, ``torch.optim.Adam`` as it comes. Earmark's are its own parts, put
together as its loop does: channels_last, fused Adam, fp32 and bf16. On a GPU the networks have their full width and the
rate itself is the figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from benchmarks.harness import Figure, Times, interleaved, ratios
from benchmarks.machine import has_amx
from earmark.architectures import create
from earmark.config import ARCHITECTURES, TrainConfig
from earmark.training.optimiser import Optimiser
from earmark.training.precision import autocast, faster_precision

TITLE = "A training step against eager PyTorch"
LABELS = 50
FP32 = {"fully_connected": 1.7, "resnet50": 1.8, "inception_v3": 1.5, "alexnet": 1.3}
"""What goal 12 wants of each network; its floor is to be no slower."""
AMX = {"fully_connected": 2.6, "alexnet": 3.9, "vgg": 3.4, "inception_v3": 5.0, "resnet50": 4.2}
H200 = {"resnet50": 16_000.0, "inception_v3": 13_000.0, "vgg": 32_000.0, "alexnet": 100_000.0}
H200_FLOOR = {"resnet50": 12_000.0}
HOPELESS = 3.0
"""bf16 that takes this many times as long has no hardware, and would be most of this benchmark's time."""
Step = Callable[[], None]


@dataclass(frozen=True)
class Setting:
    """What is trained, and on what."""

    device: torch.device
    width: float
    batch: int
    rounds: int


def measure(full: bool) -> Iterator[Figure]:
    if torch.cuda.is_available():
        setting = Setting(torch.device("cuda"), 1.0, 128, 50 if full else 20)
    else:
        setting = Setting(torch.device("cpu"), *((1.0, 16, 5) if full else (0.25, 32, 5)))
    for network in ARCHITECTURES:
        times, chosen = compared(network, setting)
        yield from figures(network, setting, times, chosen)


def compared(network: str, setting: Setting) -> tuple[Times, str]:
    """Seconds a step of each way in each round, and the precision that Earmark would choose."""
    torch.manual_seed(0)
    x_BTF = torch.randn(setting.batch, 96, 64, device=setting.device)
    y_BC = (torch.rand(setting.batch, LABELS, device=setting.device) < 0.1).float()
    ours, chosen = earmark(network, setting, x_BTF, y_BC)
    if timed(ours["bf16"], setting.device) > HOPELESS * timed(ours["fp32"], setting.device):
        del ours["bf16"]
    steps = {"eager": eager(network, setting, x_BTF, y_BC), **ours}
    clock = time.process_time if setting.device.type == "cpu" else time.perf_counter
    return interleaved(
        {way: finished(step, setting.device) for way, step in steps.items()}, setting.rounds, clock
    ), chosen


def figures(network: str, setting: Setting, times: Times, chosen: str) -> Iterator[Figure]:
    """A ratio to eager in each precision; on a GPU the rate, too."""
    gpu = setting.device.type == "cuda"
    about = f"{network}, width {setting.width:g}, batch {setting.batch}"
    for way in [way for way in ("fp32", "bf16") if way in times]:
        rates = tuple(setting.batch / took for took in times[way])
        note = f"{median(rates):,.0f} patches/s{', chosen' if way == chosen else ''}"
        goal, floor, wanted = 0, None, None
        if way == "fp32" and not gpu:
            goal, floor, wanted = 12, 1.0, FP32.get(network)
        elif way == "bf16" and has_amx() and not gpu:
            goal, floor, wanted = 11, 2.0, AMX[network]
        title, name = f"{about}, {way}", f"training/{setting.device.type}/{network}/{way}"
        yield Figure(name, title, ratios(times, "eager", way), "x", "more", "eager fp32", goal, floor, wanted, note)
        if gpu and way == "bf16":
            card = torch.cuda.get_device_name(setting.device)
            limits = (14, H200_FLOOR.get(network), H200.get(network)) if "H200" in card else (0, None, None)
            yield Figure(f"{name}/rate", f"{title}, {card}", rates, "patches/s", "more", "", *limits)


def eager(network: str, setting: Setting, x_BTF: torch.Tensor, y_BC: torch.Tensor) -> Step:
    model = create(network, LABELS, setting.width).to(setting.device)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
    loss_of = nn.BCEWithLogitsLoss()

    def step() -> None:
        optimiser.zero_grad()
        loss_of(model(x_BTF), y_BC).backward()
        optimiser.step()

    return step


def earmark(network: str, setting: Setting, x_BTF: torch.Tensor, y_BC: torch.Tensor) -> tuple[dict[str, Step], str]:
    """A step in each precision on one network, and the precision that Earmark would choose."""
    model: nn.Module = create(network, LABELS, setting.width).to(setting.device, memory_format=torch.channels_last)
    optimiser = Optimiser(model, TrainConfig(optimiser="adam"))
    loss_of = nn.BCEWithLogitsLoss()

    def backward(trial: nn.Module, precision: str, size: int) -> None:
        with autocast(setting.device, precision):
            logits_BC = trial(x_BTF[:size])
        torch.autograd.backward(loss_of(logits_BC.float(), y_BC[:size]))

    def stepper(precision: str) -> Step:
        def step() -> None:
            backward(model, precision, setting.batch)
            optimiser.step(1e-4)

        return step

    chosen = faster_precision(model, setting.device, backward)
    return {precision: stepper(precision) for precision in ("fp32", "bf16")}, chosen


def finished(step: Step, device: torch.device) -> Step:
    """A step that has ended when it returns."""

    def whole() -> None:
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return whole


def timed(step: Step, device: torch.device) -> float:
    started = time.perf_counter()
    finished(step, device)()
    return time.perf_counter() - started
