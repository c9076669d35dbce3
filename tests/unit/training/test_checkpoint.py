"""Checkpoints: whole or not there, verified, the latest good one used."""

import json
from pathlib import Path

import pytest
import torch

from earmark.store import open_store
from earmark.training.checkpoint import Checkpoint, Checkpoints


class Notes(list):
    __call__ = list.append


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def checkpoints(tmp_path, notes):
    return Checkpoints(open_store(tmp_path), "results/train_model/k", keep=2, note=notes)


def at_step(step):
    return Checkpoint({"w": torch.full((3, 2), float(step)), "n": torch.tensor(step)}, {"step": step, "seconds": 1.5})


def folder_of(checkpoints, step) -> Path:
    return Path(checkpoints.store.uri, f"results/train_model/k/checkpoints/step-{step:08d}")


def test_what_was_saved_comes_back(checkpoints):
    saved = at_step(12)
    checkpoints.save(saved)
    found = checkpoints.latest()
    assert found.meta == saved.meta
    assert all(torch.equal(found.tensors[name], saved.tensors[name]) for name in saved.tensors)


def test_memory_layout_does_not_change_values(checkpoints):
    kernel = torch.arange(120.0).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last)
    checkpoints.save(Checkpoint({"k": kernel}, {"step": 1}))
    assert torch.equal(checkpoints.latest().tensors["k"], kernel)


def test_nothing_saved_is_nothing_found(checkpoints, notes):
    assert checkpoints.latest() is None
    assert not notes


def test_the_latest_are_kept_in_the_order_of_steps(checkpoints):
    for step in (5, 9, 100):
        checkpoints.save(at_step(step))
    left = sorted(path.name for path in folder_of(checkpoints, 0).parent.iterdir() if any(path.iterdir()))
    assert left == ["step-00000009", "step-00000100"]
    assert checkpoints.latest().meta["step"] == 100


def test_a_state_without_its_marker_does_not_count(checkpoints, notes):
    for step in (5, 9):
        checkpoints.save(at_step(step))
    (folder_of(checkpoints, 9) / "done.json").unlink()
    assert checkpoints.latest().meta["step"] == 5
    assert not notes


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "marker"])
def test_a_damaged_one_is_named_and_the_one_before_used(checkpoints, notes, damage):
    for step in (5, 9):
        checkpoints.save(at_step(step))
    state, marker = (folder_of(checkpoints, 9) / name for name in ("state.safetensors", "done.json"))
    data = bytearray(state.read_bytes())
    if damage == "flip":
        data[-1] ^= 1
        state.write_bytes(data)
    elif damage == "cut":
        state.write_bytes(data[:50])
    elif damage == "gone":
        state.unlink()
    else:
        marker.write_text(marker.read_text()[:30])
    assert checkpoints.latest().meta["step"] == 5
    assert len(notes) == 1
    assert "step-00000009" in notes[0]
    checkpoints.save(at_step(7))
    assert checkpoints.latest().meta["step"] == 7


def test_all_damaged_is_a_fresh_start(checkpoints, notes):
    checkpoints.save(at_step(5))
    (folder_of(checkpoints, 5) / "state.safetensors").write_bytes(b"")
    assert checkpoints.latest() is None
    assert len(notes) == 1


def test_one_of_another_schema_is_left_alone(checkpoints, notes):
    checkpoints.save(at_step(5))
    marker = folder_of(checkpoints, 5) / "done.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": 99}))
    assert checkpoints.latest() is None
    assert "schema 99" in notes[0]
    assert marker.exists()


def test_a_writer_killed_before_the_new_marker_leaves_no_marker_for_a_state_it_did_not_see(checkpoints, monkeypatch):
    checkpoints.save(at_step(5))

    class Killed(BaseException):
        pass

    put = checkpoints.store.put

    def die_at_the_marker(key, data):
        if key.endswith("done.json"):
            raise Killed
        put(key, data)

    monkeypatch.setattr(checkpoints.store, "put", die_at_the_marker)
    with pytest.raises(Killed):
        checkpoints.save(Checkpoint({"w": torch.zeros(1)}, {"step": 5}))
    assert checkpoints.latest() is None


def test_the_one_resumed_from_may_go_once_there_is_one_of_its_own(checkpoints, notes):
    checkpoints.save(at_step(5))
    there = str(folder_of(checkpoints, 5))
    resumed = Checkpoints(checkpoints.store, "results/train_model/other", 2, notes, resume_from=there)
    assert resumed.latest().meta["step"] == 5
    resumed.save(at_step(8))
    for step in (9, 10):
        checkpoints.save(at_step(step))
    assert not (folder_of(checkpoints, 5) / "done.json").exists()
    assert resumed.latest().meta["step"] == 8
