"""Starting from a trained network: what is loaded, what stays frozen, what is refused, what the key depends on."""

import json

import pytest
import torch
from safetensors.torch import save_file

from earmark.architectures import create
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.training import training_key
from earmark.training.checkpoint import Checkpoints
from earmark.training.initial import keep_initial
from earmark.training.loop import Trainer

RESNET = {"name": "resnet50", "width": 0.1, "dropout": 0.0}


class Told(Progress):
    def __init__(self):
        super().__init__("t", mode="off")
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def package(folder, config, labels, seed=5, **changed):
    """A model's folder with weights drawn from a seed, and those weights."""
    torch.manual_seed(seed)
    wanted = config.architecture
    network = create(wanted.name, len(labels), wanted.width, wanted.bottleneck)
    folder.mkdir()
    save_file(network.state_dict(), folder / "weights.safetensors")
    described = {"labels": labels, "architecture": wanted.model_dump(), "features": config.features.model_dump()}
    (folder / "model.json").write_text(json.dumps({**described, **changed}))
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture
def start(material, tmp_path, tiny_config):
    """Makes a trainer that starts from a package."""

    def make(labels, freeze=0, architecture=RESNET, **train):
        plain = tiny_config(architecture=architecture)
        weights = package(tmp_path / "model", plain, labels)
        train = {"steps": 3, "init_from": str(tmp_path / "model"), "freeze_stages": freeze, **train}
        config = keep_initial(material.store, tiny_config(architecture=architecture, train=train))
        told = Told()
        checkpoints = Checkpoints(material.store, "results/train_model/k", 2, told.note)
        return Trainer(material.open(), config, checkpoints, told, lambda *row: None), weights, told

    return make


@pytest.mark.parametrize("ema_share", [0.0, 0.5])
def test_frozen_stages_stay_bit_for_bit_and_the_others_are_trained(start, material, ema_share):
    trainer, weights, _ = start(material.open().labels, freeze=2, ema_share=ema_share)
    shipped = trainer.train().state_dict()
    frozen = [name for name in weights if name.startswith(("trunk.conv1.", "trunk.stage2."))]
    assert any("running_mean" in name for name in frozen)
    assert all(torch.equal(shipped[name], weights[name]) for name in frozen)
    others = [name for name in weights if name not in frozen and weights[name].is_floating_point()]
    assert not any(torch.equal(shipped[name], weights[name]) for name in others)
    assert not any(f"first/{name}" in trainer.optimiser.state() for name in frozen)


def test_the_head_comes_along_where_labels_are_the_same(start, material):
    trainer, weights, told = start(material.open().labels)
    held = trainer.network.state_dict()
    assert all(torch.equal(held[name], tensor) for name, tensor in weights.items())
    assert any("the head too" in note for note in told.notes)


@pytest.mark.parametrize("change", [lambda labels: labels[::-1], lambda labels: [*labels, "another"]])
def test_other_labels_get_a_fresh_head(start, material, change):
    trainer, weights, told = start(change(material.open().labels))
    held = trainer.network.state_dict()
    assert all(torch.equal(held[name], weights[name]) for name in weights if name.startswith("trunk."))
    assert not torch.equal(held["output.weight"], weights["output.weight"][: len(held["output.weight"])])
    torch.testing.assert_close(held["output.bias"], trainer.objective.prior_logits().float())
    assert any("a fresh head" in note for note in told.notes)


def test_a_run_goes_on_with_its_frozen_stages(start, material):
    trainer, weights, _ = start(material.open().labels, freeze=5)
    trainer.train()
    resumed = Trainer(material.open(), trainer.config, trainer.checkpoints, Told(), lambda *row: None)
    resumed.train()
    held = resumed.network.state_dict()
    assert all(torch.equal(held[name], weights[name]) for name in weights if name.startswith("trunk."))
    assert resumed.network.frozen == ("conv1", "stage2", "stage3", "stage4", "stage5")


def test_the_key_depends_on_the_weights_and_not_on_where_they_lie(material, tmp_path, tiny_config):
    plain = tiny_config(architecture=RESNET)
    keys = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        package(tmp_path / folder, plain, ["x"], seed)
        config = tiny_config(architecture=RESNET, train={"init_from": str(tmp_path / folder)})
        keys.append(training_key(material.dataset, keep_initial(material.store, config)))
    assert keys[0] == keys[1]
    assert len({*keys, training_key(material.dataset, plain)}) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architecture": {"name": "vgg", "width": 0.1}}, r"architecture.name \(vgg there, resnet50 here\)"),
        ({"architecture": {**RESNET, "width": 0.5}}, r"architecture.width \(0.5 there, 0.1 here\)"),
        ({"architecture": {**RESNET, "options": {"version": "v1.5"}}}, r"'v1.5'} there, .*'v1'} here"),
        ({"features": {"tail": "drop", "storage": "uint8"}}, r"features.tail \(drop there, pad here\)"),
        ({"architecture": 3}, r"model.json in .* does not describe a model"),
        ({"weights_sha256": "0"}, r"was altered"),
    ],
)
def test_another_network_or_other_features_are_refused(material, tmp_path, tiny_config, changed, message):
    package(tmp_path / "model", tiny_config(architecture=RESNET), ["x"], **changed)
    config = tiny_config(architecture=RESNET, train={"init_from": str(tmp_path / "model")})
    with pytest.raises(UserError, match=message):
        keep_initial(material.store, config)


def test_what_is_no_model_and_freezing_what_is_fresh_are_refused(material, tmp_path, tiny_config):
    with pytest.raises(UserError, match=r"train.init_from is .* no weights.safetensors in .*models:/NAME@champion"):
        keep_initial(material.store, tiny_config(train={"init_from": str(tmp_path)}))
    with pytest.raises(UserError, match=r"train.freeze_stages is 2 .*give train.init_from"):
        keep_initial(material.store, tiny_config(train={"freeze_stages": 2}))


def test_more_stages_than_there_are_cannot_be_frozen(start, material):
    with pytest.raises(UserError, match=r"is 6 but this network has 5 stages \(conv1, stage2, .*at most 5"):
        start(material.open().labels, freeze=6)
