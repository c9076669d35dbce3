"""The step train_model with real worker processes: killed, resumed, failing; and what its supervisor does."""

import json
import os
import random
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load

from earmark.config import digest
from earmark.errors import EarmarkError, UserError
from earmark.progress import Progress
from earmark.store.usage import Usage
from earmark.tracking import RunContext
from earmark.training import train_model, training_key
from earmark.training.supervisor import relay

FULLY_CONNECTED = {"name": "fully_connected", "width": 0.05}
RESNET50 = {"name": "resnet50", "width": 0.1}


class Watcher(Progress):
    """Keeps what it is told, and calls ``at`` with (steps done, worker's process id) on every progress line."""

    def __init__(self, at=None):
        super().__init__("test", mode="off")
        self.at, self.notes, self.pids, self.steps = at, [], [], []

    def update(self, done, total, unit, **facts):
        self.steps.append(done)
        if self.at:
            self.at(done, self.pids[-1])

    def note(self, message):
        self.notes.append(message)

    def event(self, event, **facts):
        if event == "worker":
            self.pids.append(facts["pid"])


class Killer:
    """Kills a worker once at each of some steps."""

    def __init__(self, steps, with_signal=signal.SIGKILL):
        self.steps, self.signal = sorted(steps), with_signal

    def __call__(self, done, pid):
        if self.steps and done >= self.steps[0]:
            self.steps = [step for step in self.steps if step > done]
            os.kill(pid, self.signal)


class SerialKiller:
    """Kills one worker after another, each at its first or second word of progress."""

    def __init__(self, kills, seed):
        self.kills, self.random, self.patience = kills, random.Random(seed), {}

    def __call__(self, done, pid):
        if pid not in self.patience and self.kills:
            self.patience[pid] = self.random.randint(0, 1)
            self.kills -= 1
        if self.patience.get(pid) == 0:
            os.kill(pid, signal.SIGKILL)
        if pid in self.patience:
            self.patience[pid] -= 1


def train(material, config, context, watcher):
    return train_model(material.store, material.dataset, material.patches, "v", config, context, watcher)


TRAIN = {"steps": 60, "batch_size": 8, "checkpoint_every_seconds": 0.0, "max_restarts": 6}


@pytest.fixture(scope="module")
def undisturbed(shared_material, tmp_path_factory, tiny_config, mlflow_database):
    """A fully connected network trained without disturbance, and where."""
    material = shared_material.copied(tmp_path_factory.mktemp("undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_database)
        config = tiny_config(architecture=FULLY_CONNECTED, train=TRAIN)
        return material, train(material, config, RunContext("undisturbed", "test"), Watcher())


@pytest.mark.parametrize(
    ("architecture", "steps", "kills"), [(FULLY_CONNECTED, 80, 3), (RESNET50, 16, 1)], ids=["dense", "resnet"]
)
def test_killed_at_random_instants_it_ends_with_the_same_weights(
    shared_material, tmp_path, context, tiny_config, architecture, steps, kills
):
    config = tiny_config(architecture=architecture, train={**TRAIN, "steps": steps, "max_restarts": kills})
    expected = train(shared_material.copied(tmp_path / "a"), config, context, Watcher())
    # A checkpoint follows every step, so many kills fall into the writing of one.
    watcher = Watcher(SerialKiller(kills, seed=5))
    disturbed = train(shared_material.copied(tmp_path / "b"), config, context, watcher)
    assert disturbed.facts["restarts"] == len(watcher.pids) - 1 == kills
    assert disturbed.files["weights.safetensors"].sha256 == expected.files["weights.safetensors"].sha256
    assert disturbed.digest == expected.digest
    assert sum("killed by SIGKILL" in note for note in watcher.notes) == disturbed.facts["restarts"]


def test_the_result_says_what_was_trained_and_is_made_once(undisturbed, context, tiny_config):
    config = tiny_config(architecture=FULLY_CONNECTED, train=TRAIN)
    material, made = undisturbed
    weights = load(made.files["weights.safetensors"].read(material.store))
    model = json.loads(made.files["model.json"].read(material.store))
    curves = json.loads(made.files["curves.json"].read(material.store))
    dataset = material.open()
    assert weights["output.weight"].shape == (3, model["embedding_size"])
    assert model["labels"] == dataset.labels
    assert model["train_clips"] == digest([clip.clip_key for clip in dataset.clips("train")])
    assert model["features"] == config.features.model_dump()
    assert [point["step"] for point in curves["validation"]] == [30, 60]
    assert {"step", "loss", "learning_rate", "patches_per_s"} == set(curves["train"][0])
    facts = made.facts
    assert (facts["variant"], facts["name"], facts["steps"]) == ("v", "fully_connected", 60)
    assert (facts["patches_seen"], facts["precision"], facts["restarts"]) == (480, "fp32", 0)
    assert facts["weights"] == sum(w.size for name, w in weights.items() if w.ndim > 1)
    assert facts["validation"] == curves["validation"][-1]
    assert (facts["select"], facts["selected_step"]) == ("last", 60)
    assert facts["best_step"] in (30, 60)
    assert facts["wall_seconds"] >= facts["seconds"] > 0
    assert not {"cost", "uncounted_attempts"} & set(facts)
    again = train(material, config, context, Watcher(lambda *a: pytest.fail("trained again")))
    assert again.reused
    assert again == made


def test_how_a_run_is_looked_after_does_not_change_its_key(shared_material, tiny_config):
    plain, careful = tiny_config(), tiny_config(train={"max_restarts": 9, "resume_from": "elsewhere"})
    assert training_key(shared_material.dataset, plain) == training_key(shared_material.dataset, careful)
    assert training_key(shared_material.dataset, plain) != training_key(shared_material.dataset, tiny_config(seed=1))


def test_a_worker_told_to_stop_saves_and_is_started_again(material, context, tiny_config):
    config = tiny_config(architecture=FULLY_CONNECTED, train={"checkpoint_every_seconds": 1e6, "steps": 200})
    watcher = Watcher(Killer([50], signal.SIGTERM))
    train(material, config, context, watcher)
    resumed = next(note for note in watcher.notes if note.startswith("going on from step"))
    assert int(resumed.split()[4]) >= 50
    assert any("was stopped; starting it again" in note for note in watcher.notes)


def test_a_worker_killed_too_often_is_given_up_with_how_to_go_on(material, context, tiny_config):
    config = tiny_config(architecture=FULLY_CONNECTED, train={"max_restarts": 1, "steps": 100_000})
    watcher = Watcher(lambda done, pid: os.kill(pid, signal.SIGKILL))
    with pytest.raises(EarmarkError, match=r"killed by SIGKILL 2 times .*run the same command again"):
        train(material, config, context, watcher)
    assert len(watcher.pids) == 2


SUPERVISOR = """
import sys
from earmark.config import parse_config
from earmark.progress import Progress
from earmark.store import Manifest, open_store
from earmark.tracking import RunContext
from earmark.training import train_model
import json
store, dataset, patches, config = sys.argv[1:]
print("imports torch" if "torch" in sys.modules else "no torch", flush=True)
made = train_model(
    open_store(store), Manifest.from_json(dataset), Manifest.from_json(patches), "v", parse_config(json.loads(config)),
    RunContext("r", "p"), Progress("test", mode="json"),
)
print("imports torch" if "torch" in sys.modules else "no torch", flush=True)
print(made.files["weights.safetensors"].sha256)
"""


def start_supervisor(material, config):
    arguments = [material.store.uri, material.dataset.to_json(), material.patches.to_json(), config.model_dump_json()]
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ends(pid):
    """Whether a process is gone, or goes within a minute: its pipes close a little earlier."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 60)[0])
    finally:
        os.close(watched)


def read_until(process, wanted):
    """Lines of a supervisor until one for which ``wanted(event)`` holds; the worker's process id and that event."""
    pid = None
    for line in process.stdout:
        told = json.loads(line) if line.startswith("{") else {}
        pid = told.get("pid", pid)
        if told and wanted(told):
            return pid, told
    pytest.fail(f"it never came: {process.stderr.read()}")


def started_steps(told):
    return told["earmark"] == "progress" and told["done"] >= 3


def test_when_the_supervisor_is_killed_the_worker_dies_and_a_new_run_ends_alike(
    material, context, tiny_config, undisturbed
):
    config = tiny_config(architecture=FULLY_CONNECTED, train=TRAIN)
    with start_supervisor(material, config) as process:
        pid, _ = read_until(process, started_steps)
        process.kill()
        # The pipe ends when the last process that writes to it, the worker, is gone.
        process.stderr.read()
        assert ends(pid)
    with start_supervisor(material, config) as finished:
        output, errors = finished.communicate(timeout=300)
    assert finished.returncode == 0, errors
    assert output.split()[-1] == undisturbed[1].files["weights.safetensors"].sha256
    assert "imports torch" not in output


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_told_to_end_ends_its_worker_and_leaves_a_state_to_go_on_from(
    material, context, tiny_config, with_signal
):
    part = {"steps": 100_000, "batch_size": 8, "checkpoint_every_seconds": 1e6}
    with start_supervisor(material, tiny_config(architecture=FULLY_CONNECTED, train=part)) as process:
        pid, told = read_until(process, started_steps)
        process.send_signal(with_signal)
        process.communicate(timeout=60)
    assert process.returncode in (128 + signal.SIGTERM, -signal.SIGINT)
    assert ends(pid)
    saved = [info.key for info in material.store.list("results/train_model/") if info.key.endswith("done.json")]
    steps = [int(key.split("step-")[1].split("/")[0]) for key in saved]
    assert max(steps) >= told["done"]


def test_what_the_user_can_mend_is_refused_with_its_field(material, context, tiny_config):
    with pytest.raises(UserError, match=r"^train.steps .or .*train.minutes. must be given: preset 'quick'"):
        train(material, tiny_config(train={"steps": None}), context, Watcher())
    with pytest.raises(UserError, match="did you mean 'resnet50'"):
        train(material, tiny_config(architecture={"name": "resnet5"}), context, Watcher())


def test_a_damaged_shard_is_named(material, context, tiny_config):
    shard = Path(material.store.uri, material.patches.files["shard-0000"].object)
    data = bytearray(shard.read_bytes())
    data[1000] ^= 255
    shard.chmod(0o644)
    shard.write_bytes(data)
    with pytest.raises(UserError, match=r"is damaged .*delete it and run the same command again"):
        train(material, tiny_config(architecture=FULLY_CONNECTED), context, Watcher())


def test_a_worker_that_breaks_tells_its_cause(material, context, tiny_config, capfd):
    files = {name: ref for name, ref in material.dataset.files.items() if name != "labels.json"}
    broken = replace(material, dataset=replace(material.dataset, files=files))
    with pytest.raises(EarmarkError, match=r"^KeyError: 'labels.json'$"):
        train(broken, tiny_config(architecture=FULLY_CONNECTED), context, Watcher())
    assert "Traceback" in capfd.readouterr().err


def test_lines_that_are_no_progress_go_to_standard_error(capsys):
    watcher = Watcher()
    for line in ("plain text\n", "{}\n", "[1]\n", '{"earmark":"note","step":"x","message":"hello"}\n'):
        relay(line, watcher)
    assert watcher.notes == ["hello"]
    assert capsys.readouterr().err == "plain text\n{}\n[1]\n"


def test_what_training_cost_counts_earlier_attempts_and_not_in_its_key(material, context, tiny_config, monkeypatch):
    config = tiny_config(architecture=FULLY_CONNECTED, train={"steps": 2})
    monkeypatch.setenv("EARMARK_PRICE_PER_HOUR", "3600")
    monkeypatch.setattr("earmark.training.train.used_gpus", lambda: 2)
    earlier = Usage(seconds=1000.0, gpu_seconds=2000.0, cost=500.0, uncounted=1)
    job = material.store, material.dataset, material.patches, "v", config, context, Watcher()
    facts = train_model(*job, earlier=earlier).facts
    assert facts["uncounted_attempts"] == 1
    assert facts["gpus"] == 2
    took = facts["wall_seconds"] - 1000
    assert took > 0
    assert facts["gpu_seconds"] == pytest.approx(2000 + 2 * took, abs=0.01)
    assert facts["cost"] == pytest.approx(500 + took, abs=0.01)
    assert train_model(*job).reused
