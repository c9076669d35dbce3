"""A registered model used by people who do not have Earmark: loaded by MLflow in a fresh process, and served."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import numpy as np
import pytest
from made_run import PROGRESS, make_run
from servers import free_port

from earmark.evaluation import model_of, score_clip
from earmark.features import frames_of
from earmark.registry import download, register_model
from earmark.store import open_store
from earmark.tracking import RunContext, connect

READY_WITHIN_SECONDS = 120

LOAD = """
import importlib.abc, json, sys
from pathlib import Path

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"earmark", "kfp", "kubernetes", "minio", "torchaudio", "typer"}:
            raise ModuleNotFoundError(f"{name} is not in this environment", name=name)

sys.meta_path.insert(0, Refused())
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
audio = [Path(path).read_bytes() for path in sys.argv[2:]]
answers = [model.predict(pd.DataFrame({"audio": audio})), model.predict(pd.DataFrame({"path": sys.argv[2:]}))]
[carried] = [name for name in sys.modules if name.startswith("earmark") and "." not in name]
file = sys.modules[carried].__file__
print(json.dumps({"answers": [a.to_dict("records") for a in answers], "carried": carried, "file": file}))
"""


@pytest.fixture(scope="module")
def registered(request, tmp_path_factory, module_stack):
    """A champion on a real server: its name, and its package as Earmark downloads it."""
    name = f"esc10-{uuid.uuid4().hex[:8]}"
    folder = tmp_path_factory.mktemp("registered")
    made = make_run(open_store(folder / "store"), run=name)
    register_model(open_store(folder / "store"), *made.arguments, name, RunContext(name, "compare", name), PROGRESS)
    connect().set_registered_model_alias(name, "champion", "1")
    return name, download(name, "champion", folder / "package")


@pytest.fixture(scope="module")
def module_stack(running_stack):
    """The servers as the command is told of them, for all tests of this file."""
    running_stack.ensure()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", running_stack.mlflow.uri)
        yield running_stack


@pytest.fixture(scope="module")
def clips(examples):
    """Three real clips, and what Earmark itself says of them."""
    return sorted((examples / "audio").iterdir())[::50]


def expected(package, clips):
    model = model_of(package.weights.read_bytes(), package.document)
    found = [score_clip(model, frames_of(clip.read_bytes(), model.features)[0]) for clip in clips]
    return model.labels, [each.scores_C for each in found], [each.embedding_E for each in found]


def check(answers, package, clips):
    labels, scores, embeddings = expected(package, clips)
    assert len(answers) == len(clips)
    for answer, scores_C, embedding_E in zip(answers, scores, embeddings, strict=True):
        np.testing.assert_allclose([answer["scores"][name] for name in labels], scores_C, atol=1e-5)
        np.testing.assert_allclose(answer["embedding"], embedding_E, rtol=1e-5, atol=1e-5)
        assert set(answer["labels"]) == {name for name in labels if answer["calibrated"][name] >= 0.5}


def test_mlflow_loads_the_champion_where_there_is_no_earmark_and_gives_its_scores(registered, clips):
    name, package = registered
    command = [sys.executable, "-c", LOAD, f"models:/{name}@champion", *map(str, clips)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["carried"].startswith("earmark_")
    assert told["carried"] in told["file"]
    for answers in told["answers"]:
        check(answers, package, clips)


def test_the_logged_model_holds_no_pickle_and_tells_what_it_takes(registered, tmp_path):
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model

    name, _ = registered
    folder = download_artifacts(artifact_uri=f"models:/{name}@champion", dst_path=str(tmp_path))
    files = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert not files & {".pkl", ".pickle", ".pth", ".pt", ".bin", ".pyc"}
    about = Model.load(folder)
    assert about.signature.inputs.input_names() == ["audio", "path", "waveform", "sample_rate"]
    assert about.signature.outputs.input_names() == ["scores", "calibrated", "labels", "embedding"]
    assert about.saved_input_example_info["artifact_path"] == "input_example.json"


@pytest.fixture
def served(registered, tmp_path):
    """``mlflow models serve`` of the champion: its address."""
    name, _ = registered
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{name}@champion", "--port", str(port)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--workers", "1"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path}
    with (tmp_path / "serve.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    uri, until = f"http://127.0.0.1:{port}", time.monotonic() + READY_WITHIN_SECONDS
    try:
        while not answers(uri):
            assert server.poll() is None, (tmp_path / "serve.log").read_text()[-3000:]
            assert time.monotonic() < until, (tmp_path / "serve.log").read_text()[-3000:]
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(uri):
    try:
        with urllib.request.urlopen(f"{uri}/ping", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def ask(uri, columns, rows):
    body = json.dumps({"dataframe_split": {"columns": columns, "data": rows}}).encode()
    request = urllib.request.Request(f"{uri}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["predictions"]


def test_the_served_model_answers_a_request_with_audio(registered, served, clips):
    _, package = registered
    check(ask(served, ["audio"], [[base64.b64encode(clip.read_bytes()).decode()] for clip in clips]), package, clips)
    with pytest.raises(urllib.error.HTTPError) as told:
        ask(served, ["audio"], [[base64.b64encode(b"this is no audio").decode()]])
    assert told.value.code == 400
    assert "row 0: no sound to score" in json.loads(told.value.read())["message"]
    assert len(ask(served, ["waveform"], [[[0.1] * 16_000]])) == 1
