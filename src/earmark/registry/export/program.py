"""The model as one program for others: a waveform in, scores and embedding out, by ``torch.export``.

It does what decoding apart is done to a clip here: frames, stored precision, patches, network, the mean over patches.
Loaded without Earmark:

    program = torch.export.load("model.pt2").module()
    program(waveform_N)  # float32 at 16 kHz, mono → {"scores": (C,), "calibrated": (C,), "embedding": (E,)}
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earmark.architectures import scores_of
from earmark.errors import EarmarkError
from earmark.features import (
    FLOOR,
    HOP,
    PATCH_FRAMES,
    PATCH_SAMPLES,
    SAMPLE_RATE,
    WINDOW,
    FeatureSpec,
    mel_matrix,
    quantise,
)
from earmark.features.quantise import STEP
from earmark.features.spec import FFT, LOG_OFFSET
from earmark.metrics.reliability import LOWEST
from earmark.registry.export.archive import check_archive

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from earmark.evaluation import Model

OUTPUTS = ("scores", "calibrated", "embedding")
STEP_32, FLOOR_32 = float(np.float32(STEP)), float(np.float32(FLOOR))
EXAMPLE_SECONDS = 3


class Program(nn.Module):
    """What is exported. Everything up to the stored precision is float64, so that no rounding depends on the machine.

    Args:
        model: on the CPU.
    """

    dft_NK: Tensor
    mel_KF: Tensor
    log_offset: Tensor
    floor: Tensor
    steps: Tensor
    slope_C: Tensor
    offset_C: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = model.network.to(memory_format=torch.contiguous_format)
        self.output, self.storage, self.tail = model.output, model.features.storage, model.features.tail
        self.max_silent_share = model.evaluate.max_silent_share
        self.hop = max(1, round(model.evaluate.hop_seconds * SAMPLE_RATE / HOP))
        self.silence = float(quantise(np.array([FLOOR], np.float32), model.features)[0])
        fitted = model.calibration if model.calibration and model.calibration.method != "none" else None
        self.calibrates = fitted is not None
        self.register_buffer("dft_NK", torch.from_numpy(_windowed_dft()))
        self.register_buffer("mel_KF", torch.from_numpy(mel_matrix()))
        # As tensors: exporters to other formats make float32 of Python's numbers.
        for name, value in {"log_offset": LOG_OFFSET, "floor": FLOOR, "steps": 1 / STEP}.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))
        self.register_buffer("slope_C", torch.tensor(fitted.slopes if fitted else (), dtype=torch.float64))
        self.register_buffer("offset_C", torch.tensor(fitted.offsets if fitted else (), dtype=torch.float64))

    def forward(self, waveform_N: Tensor) -> dict[str, Tensor]:
        """Scores (C,), calibrated scores (C,) and embedding (E,) of a waveform at 16 kHz."""
        stored_TF = self.stored(self.log_mel(waveform_N))
        last = stored_TF.shape[0] - PATCH_FRAMES
        # One patch more than there are, at no weight: exporting tells a batch of one from a batch of many.
        starts_P = (torch.arange((last + self.hop - 1) // self.hop + 2) * self.hop).clamp(max=last)
        rows_PT = starts_P[:, None] + torch.arange(PATCH_FRAMES)
        e_PE = self.network.features(self.values(stored_TF)[rows_PT])
        scores_PC = scores_of(self.network.head(e_PE), self.output)
        there_P = (torch.arange(starts_P.shape[0]) < starts_P.shape[0] - 1).float()
        silent_T = (stored_TF.amax(dim=1) <= self.silence).float()
        sounding_P = there_P * (silent_T[rows_PT].mean(dim=1) <= self.max_silent_share)
        used_P = torch.where(sounding_P.sum() > 0, sounding_P, there_P)
        share_P = used_P / used_P.sum()
        scores_C = share_P @ scores_PC
        return {"scores": scores_C, "calibrated": self.calibrated(scores_C), "embedding": share_P @ e_PE}

    def log_mel(self, waveform_N: Tensor) -> Tensor:
        """Frames (T, 64) in float64; with the tail rule ``pad``, of the waveform filled with zeros to whole patches."""
        samples = waveform_N.shape[0]
        if self.tail == "pad":
            patch = PATCH_FRAMES * HOP
            frames = PATCH_FRAMES * (1 + (torch.sym_max(samples - PATCH_SAMPLES, 0) + patch - 1) // patch)
        else:
            frames = 1 + (samples - WINDOW) // HOP
        at_TN = torch.arange(frames)[:, None] * HOP + torch.arange(WINDOW)
        x_TN = torch.where(at_TN < samples, waveform_N[at_TN.clamp(max=samples - 1)], 0.0).double()
        real_TK, imaginary_TK = (x_TN @ self.dft_NK).chunk(2, dim=1)
        magnitude_TK = (real_TK.square() + imaginary_TK.square()).sqrt()
        return torch.log(magnitude_TK @ self.mel_KF + self.log_offset)

    def stored(self, x_TF: Tensor) -> Tensor:
        """Log-mel frames in the stored precision; uint8 steps as float32 numbers."""
        if self.storage != "uint8":
            return x_TF.to(getattr(torch, self.storage))
        return ((x_TF - self.floor) * self.steps).round().clamp(0, 255).float()

    def values(self, stored_TF: Tensor) -> Tensor:
        """Stored frames as float32 log-mel."""
        return stored_TF * STEP_32 + FLOOR_32 if self.storage == "uint8" else stored_TF.float()

    def calibrated(self, scores_C: Tensor) -> Tensor:
        """Scores as probabilities; the scores themselves where the model has no calibration."""
        if not self.calibrates:
            return scores_C.clone()
        p_C = scores_C.double().clamp(LOWEST, 1 - LOWEST)
        if self.output == "softmax":
            return (self.slope_C * p_C.log()).softmax(dim=0).float()
        return (self.slope_C * (p_C.log() - (-p_C).log1p()) + self.offset_C).sigmoid().float()


def shortest(features: FeatureSpec) -> int:
    """The fewest samples that the program takes: two, or a patch's where the tail is dropped."""
    return 2 if features.tail == "pad" else PATCH_SAMPLES


def export_program(model: Model) -> ExportedProgram:
    """The program of a model on the CPU.

    Raises:
        EarmarkError: torch cannot export its network.
    """
    samples = torch.export.Dim("N", min=shortest(model.features))
    example_N = torch.zeros(EXAMPLE_SECONDS * SAMPLE_RATE)
    try:
        with torch.no_grad():
            program = torch.export.export(Program(model).eval(), (example_N,), dynamic_shapes=({0: samples},))
    except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:
        raise EarmarkError(f"torch cannot export this network: {str(error).splitlines()[0]}") from error
    # It would be saved by pickle.
    program.example_inputs = None
    return program


def save_program(program: ExportedProgram, path: Path) -> None:
    """Write the program as a ``.pt2`` archive: weights, constants and JSON, no pickle."""
    torch.export.save(program, path)


def load_program(path: Path) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.floating[Any]]]]:
    """The program from its file, from and to NumPy: for comparing, and for nothing else in Earmark.

    Raises:
        UserError: the file could run code while it is read.
    """
    check_archive(path)
    module = torch.export.load(path).module()

    @torch.inference_mode()
    def run(waveform_N: NDArray[np.float32]) -> dict[str, NDArray[np.floating[Any]]]:
        return {name: value.numpy() for name, value in module(torch.from_numpy(waveform_N)).items()}

    return run


def _windowed_dft() -> NDArray[np.float64]:
    """(400, 514): real and imaginary parts of the 512-point transform, with the periodic Hann window before it."""
    n_N, k_K = np.arange(WINDOW), np.arange(FFT // 2 + 1)
    hann_N = 0.5 - 0.5 * np.cos(2 * np.pi * n_N / WINDOW)
    angle_NK = 2 * np.pi * np.outer(n_N, k_K) / FFT
    dft_NK: NDArray[np.float64] = hann_N[:, None] * np.concatenate([np.cos(angle_NK), np.sin(angle_NK)], axis=1)
    return dft_NK
