"""Exports compared with the trained network, on made sounds of several lengths and on clips of the data."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import EarmarkError
from earmark.evaluation.model import ClipScores, Model, score_clip
from earmark.features import PATCH_SAMPLES, SAMPLE_RATE, decode, frames_of, quantise
from earmark.features.logmel import frames_at_16k, padded_frames_at_16k, resample, to_mono

TOLERANCE = 1e-5
"""Largest difference of a score; of an embedding's value, relative to the largest where that is above 1."""
MADE_SECONDS = (0.98, 3.3, 10.0)

Outputs = Mapping[str, NDArray[np.floating[Any]]]


class ExportMismatch(EarmarkError):
    """What was written for others gives other numbers than the network that was trained."""


def made_waveforms() -> list[NDArray[np.float32]]:
    """Noise, a rising tone and silence, at 16 kHz: one patch, a few, and some seconds more."""
    random = np.random.default_rng(0)
    made = []
    for seconds in MADE_SECONDS:
        times_N = np.arange(max(PATCH_SAMPLES, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE
        sound_N = 0.4 * np.sin(2 * np.pi * (200 + 300 * times_N) * times_N) + random.normal(0, 0.05, len(times_N))
        sound_N[times_N > 0.7 * seconds] = 0.0
        made.append(sound_N.astype(np.float32))
    return made


def waveform_of(audio: bytes, model: Model) -> NDArray[np.float32]:
    """A file's sound as the program takes it: float32 (N,) at 16 kHz, mono."""
    sound = decode(audio)
    return resample(to_mono(sound.samples_NC), sound.rate, model.features.resampler).astype(np.float32, copy=False)


def frames_in_float64(waveform_N: NDArray[np.float32], model: Model) -> NDArray[Any]:
    """Stored frames (T, 64) of a waveform at 16 kHz, computed in float64.

    In float32, as clips are extracted, about one value in 50,000 lies so close to the middle of two uint8 steps that
    rounding decides: there both are right, and scores differ by some 1e-5.
    """
    frames = padded_frames_at_16k if model.features.tail == "pad" else frames_at_16k
    return quantise(frames(waveform_N.astype(np.float64)), model.features)


def check_program(
    run: Any, model: Model, waveforms: Sequence[NDArray[np.float32]], what: str, tolerance: float = TOLERANCE
) -> None:
    """Compare what takes a waveform and gives :data:`OUTPUTS` with ``score_clip``.

    Raises:
        ExportMismatch: a number differs by more than ``tolerance``.
    """
    for waveform_N in waveforms:
        expected = score_clip(model, frames_in_float64(waveform_N, model))
        sound = f"{len(waveform_N) / SAMPLE_RATE:.2f} s of sound"
        compare(run(waveform_N), expected, model, f"{what} on {sound}", tolerance)


def check_pyfunc(folder: Path, model: Model, sounds: Sequence[bytes]) -> None:
    """Load the model as MLflow does, with the code that it carries, and compare its answers with ``score_clip``.

    Raises:
        ExportMismatch: a number differs by more than :data:`TOLERANCE`.
    """
    import pandas as pd

    with warnings.catch_warnings(), _carried_code():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        loaded = mlflow.pyfunc.load_model(str(folder))
        answers = loaded.predict(pd.DataFrame({"audio": list(sounds)})).to_dict("records")
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    for number, (audio, answer) in enumerate(zip(sounds, answers, strict=True), start=1):
        given = {
            "scores": np.array([answer["scores"][name] for name in model.labels]),
            "calibrated": np.array([answer["calibrated"][name] for name in model.labels]),
            "embedding": np.array(answer["embedding"]),
        }
        expected = score_clip(model, frames_of(audio, model.features)[0])
        compare(given, expected, model, f"the MLflow model on sound {number}")


def compare(given: Outputs, expected: ClipScores, model: Model, what: str, tolerance: float = TOLERANCE) -> None:
    """Compare an export's outputs with what ``score_clip`` gave.

    Raises:
        ExportMismatch: naming the output and the difference.
    """
    calibrated_C = expected.scores_C if model.calibration is None else model.calibration.apply(expected.scores_C)
    wanted = {"scores": expected.scores_C, "calibrated": calibrated_C, "embedding": expected.embedding_E}
    for name, values in wanted.items():
        scale = max(1.0, float(np.abs(values).max(initial=0.0)))
        difference = float(np.abs(given[name] - values).max(initial=0.0)) / scale
        if not difference <= tolerance:
            raise ExportMismatch(
                f"{what} gives {name} that differ by {difference:.1e} from the trained network's (allowed "
                f"{tolerance:.0e}): it is of no use. Try another version of torch, or report this"
            )


@contextmanager
def _carried_code() -> Iterator[None]:
    """Take back what loading a model leaves in this process: its code on the path, its modules of a passing folder."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith("earmark_"):
                del sys.modules[name]
