"""The one scoring function: a mean of sigmoids over a clip's patches, the same however clips come."""

import json

import numpy as np
import pytest
import torch

from earmark.errors import EarmarkError
from earmark.evaluation import load_model, score_clip
from earmark.evaluation import model as model_module
from earmark.evaluation.windows import window_starts
from earmark.features import dequantise
from earmark.store import CorruptObject, Manifest, once

from .conftest import checkpoint_of


@pytest.fixture(scope="module")
def model(chain, checkpoints):
    return load_model(chain.store, checkpoints["alexnet"])


@pytest.fixture
def clip(chain):
    found = chain.opened.clips("test")[0]
    return chain.opened.frames.clip(found.shard, found.first_row, found.rows)


def test_a_clip_is_the_mean_of_its_patches_sigmoids(model, clip):
    starts = window_starts(clip, model.features, model.evaluate.hop_seconds, model.evaluate.max_silent_share)
    patches = np.stack([dequantise(clip[s : s + 96], model.features) for s in starts])
    with torch.no_grad():
        logits = model.network(torch.from_numpy(patches)).double()
    found = score_clip(model, clip)
    assert found.patch_scores_PC.shape == (len(starts), 3)
    assert found.scores_C.dtype == np.float32
    np.testing.assert_allclose(found.scores_C, logits.sigmoid().mean(0).numpy(), atol=1e-6)
    np.testing.assert_array_equal(found.scores_C, found.patch_scores_PC.mean(axis=0))
    assert found.embedding_E.shape == (model.network.embedding_size,)


def test_a_network_is_loaded_for_evaluation(model, clip):
    assert not model.network.training
    np.testing.assert_array_equal(score_clip(model, clip).scores_C, score_clip(model, clip).scores_C)


def test_a_long_clip_in_pieces_scores_as_in_one(model, clip, monkeypatch):
    whole = score_clip(model, clip)
    monkeypatch.setattr(model_module, "PATCHES_AT_ONCE", 5)
    pieces = score_clip(model, clip)
    np.testing.assert_allclose(pieces.patch_scores_PC, whole.patch_scores_PC, atol=1e-6)


def test_patches_of_added_silence_are_skipped(model):
    sound = np.full((480, 64), 90, np.uint8)
    longer = np.concatenate([sound, np.zeros((960, 64), np.uint8)])
    # A patch may have 80 % of silence: starts every 24 frames up to 460 are kept, of the silence none.
    assert len(score_clip(model, longer).patch_scores_PC) == len(range(0, 461, 24))


def test_evaluation_stores_exactly_what_score_clip_gives(chain, model, metrics):
    from earmark.store.tables import read_table

    table = read_table(metrics["alexnet"].files["scores-test.parquet"].read(chain.store))
    for clip, stored in zip(chain.opened.clips("test"), table["scores"].to_pylist(), strict=True):
        frames = chain.opened.frames.clip(clip.shard, clip.first_row, clip.rows)
        np.testing.assert_array_equal(score_clip(model, frames).scores_C, np.array(stored, np.float32))


def test_loading_draws_nothing_from_the_global_generator(chain, checkpoints):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    load_model(chain.store, checkpoints["alexnet"])
    assert torch.equal(torch.get_rng_state(), before)


def test_damaged_weights_are_refused(chain, experiment):
    checkpoint = checkpoint_of(chain, experiment.variant("alexnet"), "damaged", seed=5)
    path = chain.store.local(checkpoint.files["weights.safetensors"].object)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptObject, match="weights"):
        load_model(chain.store, checkpoint)


def test_a_model_of_another_schema_is_refused_by_name(chain, checkpoints):
    old = checkpoints["alexnet"]

    def work(attempt):
        document = json.loads(old.files["model.json"].read(chain.store))
        attempt.put_json("model.json", {**document, "schema_version": 99})

    newer: Manifest = once(chain.store, "train_model", "of-another-schema", work)
    with pytest.raises(EarmarkError, match="schema 99 where this version reads 1"):
        load_model(chain.store, newer)
