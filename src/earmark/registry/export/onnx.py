"""The model as ONNX, made of its package where it is wanted, with the extra ``onnx``."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import UserError
from earmark.registry.package import Package

NAME = "model.onnx"
TOLERANCE = 1e-4
OPSET = 18


def write_onnx(package: Package) -> Path:
    """Write ``model.onnx`` into a package's folder: ``waveform`` in; ``scores``, ``calibrated`` and ``embedding`` out.

    Raises:
        UserError: the extra is not installed.
        ExportMismatch: onnxruntime gives other numbers than the network.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError("ONNX needs its extra: pip install 'earmark[onnx]'") from None
    import torch

    from earmark.evaluation import model_of
    from earmark.registry.export.check import check_program, made_waveforms
    from earmark.registry.export.program import OUTPUTS, export_program

    model = model_of(package.weights.read_bytes(), package.document)
    model = replace(model, network=model.network.cpu())
    path = package.folder / NAME
    with warnings.catch_warnings():
        # of the exporter's own modules
        warnings.simplefilter("ignore")
        made = torch.onnx.export(export_program(model), dynamo=True, opset_version=OPSET, verbose=False)
    assert made is not None
    graph = made.model.graph
    graph.inputs[0].name = "waveform"
    for output, name in zip(graph.outputs, OUTPUTS, strict=True):
        output.name = name
    made.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(waveform_N: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"waveform": waveform_N}), strict=True))

    check_program(run, model, made_waveforms(), NAME, TOLERANCE)
    return path
