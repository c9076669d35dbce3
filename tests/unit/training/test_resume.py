"""Going on from a checkpoint of another place: bit for bit, only with the same config and data, newest first."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.errors import UserError
from earmark.progress import Progress
from earmark.training import train_model
from earmark.training.loop import Stopped, Trainer
from earmark.training.origin import check_resume, origin

DENSE = {"name": "fully_connected", "width": 0.05}
DOCS = Path(__file__).parents[3] / "docs" / "training.md"


def bits(network):
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


class StopsAt(Trainer):
    at = -1

    def train_step(self, batch):
        super().train_step(batch)
        self.stop_requested = self.step == self.at


@pytest.fixture
def stopped(new_trainer, tiny_config, tmp_path):
    """A run of 8 steps stopped after 5: its config and a copy of its last checkpoint."""
    config = tiny_config(architecture=DENSE, train={"steps": 8, "ema_share": 0.5})
    trainer = new_trainer(config, "results/train_model/stopped", StopsAt)
    trainer.at = 5
    with pytest.raises(Stopped):
        trainer.train()
    folder = tmp_path / "copied" / "step-00000005"
    shutil.copytree(Path(trainer.checkpoints.store.uri, trainer.checkpoints.folder, "step-00000005"), folder)
    return config, folder


def test_a_copied_folder_is_gone_on_from_bit_for_bit(new_trainer, stopped):
    config, folder = stopped
    expected = bits(new_trainer(config, "undisturbed").train())
    resumed = new_trainer(config, "results/train_model/other", resume_from=str(folder))
    assert bits(resumed.train()) == expected
    assert "going on from step 5 of 8" in new_trainer.notes


def test_a_newer_checkpoint_of_its_own_comes_first(new_trainer, stopped):
    config, folder = stopped
    own = new_trainer(config, kind=StopsAt)
    own.at = 6
    with pytest.raises(Stopped):
        own.train()
    new_trainer(config, resume_from=str(folder)).train()
    assert new_trainer.notes[-1] == "going on from step 6 of 8"


def test_a_damaged_one_is_refused(new_trainer, stopped):
    config, folder = stopped
    state = folder / "state.safetensors"
    data = bytearray(state.read_bytes())
    data[-1] ^= 1
    state.chmod(0o644)
    state.write_bytes(data)
    with pytest.raises(UserError, match=r"train\.resume_from: .*step-00000005 is damaged .*give another one"):
        new_trainer(config, "other", resume_from=str(folder)).train()


def test_another_config_is_refused_with_every_field_that_differs(material, stopped):
    config, folder = stopped
    mine = config.model_copy(
        update={
            "seed": 3,
            "train": config.train.model_copy(update={"learning_rate": 0.5, "keep_checkpoints": 7}),
            "architecture": config.architecture.model_copy(update={"options": {"depth": 2}}),
        }
    )
    with pytest.raises(UserError) as refused:
        check_resume(str(folder), origin(mine, material.dataset.digest))
    told = str(refused.value)
    assert "train.learning_rate (0.001 there, 0.5 here)" in told
    assert "architecture.options.depth (None there, 2 here)" in told
    assert "seed (0 there, 3 here)" in told
    assert "keep_checkpoints" not in told
    assert "leave --resume-from" in told


def test_other_data_is_refused_before_a_worker_starts(material, context, stopped, tiny_config):
    config, folder = stopped
    marker = folder / "done.json"
    document = json.loads(marker.read_text())
    document["origin"]["dataset"] = "f" * 32
    marker.chmod(0o644)
    marker.write_text(json.dumps(document))
    config = config.model_copy(update={"train": config.train.model_copy(update={"resume_from": str(folder)})})
    with pytest.raises(
        UserError, match=rf"trained on other data \(dataset f{{32}} there, {material.dataset.digest} here"
    ):
        train_model(material.store, material.dataset, material.patches, "v", config, context, Progress("t", mode="off"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no checkpoint in .*no done.json"),
        ("{", "done.json in .* is damaged"),
        ('{"schema_version": 1}', "is of schema 1 where this version reads 2"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "done.json").write_text(content)
    with pytest.raises(UserError, match=rf"train\.resume_from: .*{message}"):
        check_resume(str(tmp_path), {})


def test_the_example_of_the_docs_reads_a_checkpoint_with_safetensors_alone(stopped, tmp_path):
    _, folder = stopped
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text().partition("## Checkpoints")[2], re.DOTALL)
    assert "earmark" not in code
    assert len([line for line in code.splitlines() if line]) == 6
    here = tmp_path / "work/store/results/train_model/k/checkpoints/step-00000005"
    shutil.copytree(folder, here)
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("5 ['average/")
