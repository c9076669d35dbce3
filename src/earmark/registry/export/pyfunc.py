"""A package as MLflow's ``pyfunc``, from code: what is written beside the package's files for MLflow to load it."""

from __future__ import annotations

import io
import shutil
import tempfile
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earmark import __version__
from earmark.registry.export.carried import carry_code
from earmark.registry.package import CARD, CLIPS, DOCUMENT, WEIGHTS

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

NEEDED = ("mlflow", "numpy", "torch", "safetensors", "pydantic", "pyarrow", "scipy", "soundfile", "miniaudio", "soxr")
"""Distributions that the carried code imports; nothing of training, plots or pipelines."""
EXAMPLE_RATE = 8000


def requirements() -> list[str]:
    """What an environment needs to load the model, each pinned to the version that it was made with."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in NEEDED]


def write_pyfunc(folder: Path, *, model_id: str | None = None, run_id: str | None = None) -> None:
    """Complete a package's folder to a model that MLflow loads: ``MLmodel``, code, requirements, an example."""
    with warnings.catch_warnings():
        # MLflow's own, about its own types and its use of pandas
        warnings.simplefilter("ignore")
        _write(folder, model_id, run_id)


def _write(folder: Path, model_id: str | None, run_id: str | None) -> None:
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model

    about = Model(run_id=run_id, model_id=model_id, utc_time_created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"))
    with tempfile.TemporaryDirectory() as scratch:
        module = carry_code(Path(scratch, "source"))
        made = Path(scratch, "made")
        mlflow.pyfunc.save_model(
            path=str(made),
            loader_module=module,
            code_paths=[str(path) for path in Path(scratch, "source").iterdir()],
            pip_requirements=requirements(),
            signature=_signature(),
            input_example=pd.DataFrame({"audio": [example_audio()]}),
            mlflow_model=about,
        )
        shutil.copytree(made, folder, dirs_exist_ok=True)
    # The model's data are the package's files, which lie beside what was written.
    about.flavors["python_function"]["data"] = "."
    about.add_flavor("earmark", weights=WEIGHTS, document=DOCUMENT, clips=CLIPS, card=CARD, earmark_version=__version__)
    about.save(str(folder / "MLmodel"))


def example_audio() -> bytes:
    """A second of a falling tone as a small WAV file."""
    import soundfile

    times_N = np.arange(EXAMPLE_RATE) / EXAMPLE_RATE
    file = io.BytesIO()
    tone_N = 0.5 * np.sin(2 * np.pi * (1500 - 500 * times_N) * times_N)
    soundfile.write(file, tone_N, EXAMPLE_RATE, subtype="PCM_U8", format="WAV")
    return file.getvalue()


def _signature() -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array, Map

    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.binary, "audio", required=False),
        ColSpec(DataType.string, "path", required=False),
        ColSpec(Array(DataType.double), "waveform", required=False),
        ColSpec(DataType.long, "sample_rate", required=False),
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(Map(DataType.double), "scores"),
        ColSpec(Map(DataType.double), "calibrated"),
        ColSpec(Array(DataType.string), "labels"),
        ColSpec(Array(DataType.double), "embedding"),
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
