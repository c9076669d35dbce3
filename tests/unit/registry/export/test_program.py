import zipfile

import numpy as np
import pytest

from earmark.config import ARCHITECTURES
from earmark.evaluation import score_clip
from earmark.features import frames_of
from earmark.metrics import Calibration
from earmark.registry.export.check import (
    TOLERANCE,
    ExportMismatch,
    check_program,
    frames_in_float64,
    made_waveforms,
    waveform_of,
)
from earmark.registry.export.program import export_program, load_program, save_program

LENGTHS = (15_600, 15_601, 16_000, 30_960, 30_961, 50_000)


@pytest.fixture
def exported(tmp_path):
    """A model's program, written and read back."""

    def export(model):
        save_program(export_program(model), tmp_path / "model.pt2")
        return load_program(tmp_path / "model.pt2")

    return export


def sounds(lengths):
    random = np.random.default_rng(1)
    return [random.normal(0, 0.1, n).astype(np.float32) for n in lengths]


@pytest.mark.parametrize("name", [*ARCHITECTURES, "vggish"])
def test_the_program_of_every_network_gives_its_scores(model, exported, name):
    made = model(name)
    check_program(exported(made), made, made_waveforms(), name)


def test_short_sounds_are_padded_as_in_scoring(model, exported):
    made = model()
    check_program(exported(made), made, sounds((2, 399, 400, 5_000, *LENGTHS)), "pad")


@pytest.mark.parametrize("storage", ["uint8", "float16", "float32"])
def test_tail_hop_silence_and_precision_are_the_models(model, exported, storage):
    made = model(
        features={"tail": "drop", "storage": storage},
        evaluate={"hop_seconds": 0.25, "max_silent_share": 0.4},
        output="softmax",
    )
    waveforms = [*sounds(LENGTHS), *made_waveforms(), np.zeros(40_000, np.float32)]
    waveforms[5][10_000:30_000] = 0
    check_program(exported(made), made, waveforms, storage)


@pytest.mark.parametrize(("output", "method"), [("sigmoid", "platt"), ("softmax", "temperature")])
def test_calibrated_scores_are_the_calibrations(model, exported, output, method):
    offsets = (0.3, 0.2, -1.0) if method == "platt" else (0.0, 0.0, 0.0)
    made = model(output=output, calibration=Calibration(output, method, (1.5, 1.5, 1.5), offsets, ()))
    run = exported(made)
    check_program(run, made, sounds((16_000, 60_000)), method)
    given = run(sounds((16_000,))[0])
    assert np.abs(given["scores"] - given["calibrated"]).max() > 0.01


def test_clips_as_they_are_stored_differ_only_where_rounding_decides(model, exported, examples):
    made = model(width=0.1)
    run = exported(made)
    values = differing = 0
    for path in sorted((examples / "audio").iterdir())[::20]:
        audio = path.read_bytes()
        waveform_N, (stored_TF, _) = waveform_of(audio, made), frames_of(audio, made.features)
        check_program(run, made, [waveform_N], path.name)
        differing += int((frames_in_float64(waveform_N, made) != stored_TF).sum())
        values += stored_TF.size
        expected = score_clip(made, stored_TF)
        np.testing.assert_allclose(run(waveform_N)["scores"], expected.scores_C, atol=1e-3)
    assert differing / values < 1e-4


def test_the_archive_holds_no_pickle_but_torchs_empty_list_of_examples(model, tmp_path):
    save_program(export_program(model()), tmp_path / "model.pt2")
    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        odd = {name for name in archive.namelist() if name.endswith((".pkl", ".pt", ".pth"))}
        assert odd <= {"model/data/sample_inputs/model.pt"}
        assert all(archive.getinfo(name).file_size < 2000 for name in odd)


def test_another_networks_program_is_told(model, exported):
    run = exported(model("fully_connected"))
    other = model("alexnet")
    with pytest.raises(ExportMismatch, match=r"model\.pt2 on 0\.98 s of sound gives scores that differ by"):
        check_program(run, other, made_waveforms(), "model.pt2")
    assert TOLERANCE == 1e-5


def test_onnx_gives_the_networks_scores(tmp_path, model):
    import json

    from safetensors.torch import save_file

    from earmark.registry import read_package
    from earmark.registry.export.onnx import write_onnx
    from earmark.registry.package import write_package

    made = model()
    save_file({name: w.contiguous() for name, w in made.network.state_dict().items()}, tmp_path / "weights")
    config = {"name": "alexnet", "width": 0.02, "bottleneck": None, "dropout": 0.0, "options": {}}
    document = {"schema_version": 1, "architecture": config, "labels": list(made.labels), "output": "sigmoid"}
    document |= {"features": made.features.model_dump(), "evaluate": made.evaluate.model_dump()}
    fitted = Calibration("sigmoid", "platt", (1.5, 2.0, 0.7), (0.3, 0.2, -1.0), ())
    document["calibration"] = fitted.to_json()
    write_package(tmp_path / "package", tmp_path / "weights", json.loads(json.dumps(document)), b"", "# card")
    path = write_onnx(read_package(tmp_path / "package"))
    assert path.name == "model.onnx"
    assert path.stat().st_size > 1_000_000
