"""What MLflow loads and serves: audio in, labels and embedding out. Carried in the model with the code that it needs.

Nothing here differs from what Earmark itself does with a sound: it is the same ``score_clip``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.errors import UserError
from earmark.evaluation.model import model_of, score_clip
from earmark.features import Sound, frames_of, frames_of_sound
from earmark.registry.package import Package, read_package

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from earmark.features import ClipFacts

THRESHOLD = 0.5
"""From which score on a label counts as heard, of a model without calibration."""
RATE = 16_000
"""Of a waveform that comes without its own."""


class Served:
    """A package as MLflow wants it: frames of pandas in and out."""

    def __init__(self, package: Package) -> None:
        self.model = model_of(package.weights.read_bytes(), package.document)

    def predict(self, model_input: pd.DataFrame, params: object = None) -> pd.DataFrame:  # noqa: ARG002  (MLflow passes it)
        """A row a sound: ``scores`` and ``calibrated`` by label, ``labels`` that count as heard, ``embedding``.

        Raises:
            MlflowException: a row has no sound, or none that can be read; the request is at fault.
        """
        import pandas as pd
        from mlflow.exceptions import MlflowException

        rows = []
        for number, row in enumerate(model_input.to_dict("records")):
            try:
                rows.append(self._answer(row))
            except (UserError, OSError) as error:
                raise MlflowException.invalid_parameter_value(f"row {number}: {error}") from None
        return pd.DataFrame(rows, columns=["scores", "calibrated", "labels", "embedding"])

    def _answer(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        frames_TF, facts = self._frames(row)
        if facts.reason is not None:
            raise UserError(f"no sound to score: {facts.reason}")
        scored, names = score_clip(self.model, frames_TF), self.model.labels
        calibrated_C, thresholds_C = scored.scores_C, np.full(len(names), THRESHOLD)
        if (fitted := self.model.calibration) is not None:
            calibrated_C, thresholds_C = fitted.apply(scored.scores_C), fitted.thresholds_C
        heard_C = calibrated_C >= thresholds_C
        return {
            "scores": dict(zip(names, scored.scores_C.tolist(), strict=True)),
            "calibrated": dict(zip(names, calibrated_C.tolist(), strict=True)),
            "labels": [name for name, heard in zip(names, heard_C, strict=True) if heard],
            "embedding": scored.embedding_E.tolist(),
        }

    def _frames(self, row: Mapping[Any, Any]) -> tuple[NDArray[Any], ClipFacts]:
        given = {name: value for name, value in row.items() if _is_given(value)}
        features = self.model.features
        if "audio" in given:
            return frames_of(_bytes(given["audio"]), features)
        if "path" in given:
            return frames_of(Path(given["path"]).read_bytes(), features)
        if "waveform" not in given:
            raise UserError("give audio (the bytes of a file), a path, or a waveform")
        samples_N = np.asarray(given["waveform"], np.float32)
        return frames_of_sound(
            Sound(samples_N.reshape(len(samples_N), -1), int(given.get("sample_rate", RATE))), features
        )


def _load_pyfunc(path: str) -> Served:
    """What MLflow calls with the model's folder."""
    return Served(read_package(Path(path)))


def _is_given(value: Any) -> bool:
    """Columns that a request leaves out come as None or NaN."""
    return value is not None and not (isinstance(value, float) and np.isnan(value))


def _bytes(audio: bytes | str) -> bytes:
    try:
        return base64.b64decode(audio, validate=True) if isinstance(audio, str) else bytes(audio)
    except binascii.Error:
        raise UserError("audio is no base64") from None
