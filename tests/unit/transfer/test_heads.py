"""Heads on stored embeddings: the same numbers as by sound, against scikit-learn, what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load
from sklearn.linear_model import LogisticRegression

from earmark.catalog import Dataset
from earmark.config import EvaluateConfig
from earmark.errors import UserError
from earmark.evaluation import evaluate_model, load_model, model_of
from earmark.evaluation.model import score_clip, score_windows
from earmark.evaluation.windows import window_starts
from earmark.progress import Progress
from earmark.store.tables import read_table
from earmark.transfer import embed as embedding
from earmark.transfer import embed_dataset, evaluate_head
from earmark.transfer.stored import Embeddings

from .conftest import QUIET, config_of, source_of

KINDS = [("linear", {}), ("dense", {"layers": 2, "units": 80}), ("neighbours", {"neighbours": 3})]


def scores_of(chain, manifest, split):
    table = read_table(manifest.files[f"scores-{split}.parquet"].read(chain.store))
    return table["clip_key"].to_pylist(), np.array(table["scores"].to_pylist())


def frames_of(opened, clip):
    return opened.frames.clip(clip.shard, clip.first_row, clip.rows)


def test_embeddings_are_the_networks_own_at_the_windows_of_evaluation(chain):
    model = model_of(chain.source.weights, chain.source.document)
    stored = Embeddings(chain.store, chain.embedded)
    counted = 0
    for split in ("train", "validation", "test"):
        for clip in chain.opened.clips(split):
            frames_TF = frames_of(chain.opened, clip)
            starts_P = window_starts(frames_TF, model.features, 0.96, model.evaluate.max_silent_share)
            assert np.array_equal(stored.clip(clip.clip_key), score_windows(model, frames_TF, starts_P)[1])
            counted += len(starts_P)
    assert chain.embedded.facts["rows"] == counted
    assert chain.embedded.facts["clips"] == 36
    assert chain.embedded.facts["size"] == 16


def test_embedding_goes_on_where_it_was_stopped(chain, monkeypatch):
    class Stopping(Progress):
        def __init__(self, at):
            super().__init__("t", mode="off")
            self.at, self.first = at, None

        def update(self, done, total, unit, **facts):
            self.first = self.first or done
            if done == self.at:
                raise KeyboardInterrupt

    monkeypatch.setattr(embedding, "SHARD_BYTES", 10_000)
    source, evaluate = source_of(config_of("linear"), seed=7), EvaluateConfig(hop_seconds=0.96)
    with pytest.raises(KeyboardInterrupt):
        embed_dataset(chain.store, chain.dataset, chain.patches, source, evaluate, Stopping(20))
    again = Stopping(None)
    made = embed_dataset(chain.store, chain.dataset, chain.patches, source, evaluate, again)
    assert again.first > 1  # the first part was there
    assert len(made.files) > 4
    monkeypatch.undo()
    stored = Embeddings(chain.store, made)
    model = model_of(source.weights, source.document)
    clip = chain.opened.clips("test")[-1]
    whole = score_clip(replace(model, evaluate=evaluate), frames_of(chain.opened, clip))
    assert np.array_equal(stored.clip(clip.clip_key).mean(axis=0), whole.embedding_E)


@pytest.mark.parametrize(("kind", "head"), KINDS)
def test_a_head_scores_clips_from_embeddings_as_its_network_does_from_sound(chain, fit, kind, head):
    config = config_of(kind, **head)
    made = fit(config)
    quick = evaluate_head(chain.store, made, chain.dataset, chain.embedded, chain.patches, config, QUIET)
    slow = evaluate_model(chain.store, made, chain.dataset, chain.patches, config, QUIET)
    for split in ("validation", "test"):
        (keys, scores_NC), (their_keys, theirs_NC) = scores_of(chain, quick, split), scores_of(chain, slow, split)
        assert keys == their_keys
        assert np.abs(scores_NC - theirs_NC).max() < 1e-5
    assert quick.facts["test"]["map"] == pytest.approx(slow.facts["test"]["map"], abs=1e-6)
    assert quick.facts["digest"] == slow.facts["digest"]
    assert quick.files["timelines.json"].sha256 == slow.files["timelines.json"].sha256
    assert fit(config).reused


@pytest.mark.parametrize(("kind", "head"), KINDS)
def test_the_trunk_is_the_sources_and_the_head_has_learned(chain, fit, kind, head):
    made = fit(config_of(kind, **head))
    weights, theirs = load(made.files["weights.safetensors"].read(chain.store)), load(chain.source.weights)
    trunk = {name for name in theirs if not name.startswith("output.")}
    assert {name for name in weights if not name.startswith("output.")} == trunk
    assert all(np.array_equal(weights[name], theirs[name]) for name in trunk)
    assert made.facts["validation"]["map"] > 0.6  # at chance it is a third
    assert made.facts["train_clips"] == len(chain.opened.clips("train"))
    document = json.loads(made.files["model.json"].read(chain.store))
    assert document["labels"] == chain.opened.labels
    assert document["architecture"]["bottleneck"] == 16


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_a_linear_head_is_logistic_regression_on_standardised_values(chain, fit, loss):
    config = config_of("linear")
    config = config.model_copy(update={"train": config.train.model_copy(update={"loss": loss})})
    made = fit(config)
    curve = json.loads(made.files["curves.json"].read(chain.store))["validation"]
    strength = next(point["c"] for point in curve if point["step"] == made.facts["selected_step"])
    stored = Embeddings(chain.store, chain.embedded)
    train, test = (stored.windows(chain.opened.clips(split)) for split in ("train", "test"))
    x_PE, asked_PE = np.maximum(train.e_PE, 0), np.maximum(test.e_PE, 0)  # a bottleneck's linear head has a ReLU
    std_E = np.maximum(x_PE.std(axis=0), 1e-3 * x_PE.std(axis=0).max())
    x_PE, asked_PE = (x_PE - x_PE.mean(axis=0)) / std_E, (asked_PE - x_PE.mean(axis=0)) / std_E
    y_PC = chain.opened.targets("train")[train.clip_P]

    def fitted(y_P):
        return LogisticRegression(C=strength, max_iter=1000, tol=1e-6).fit(x_PE, y_P).predict_proba(asked_PE)

    if loss == "softmax":
        theirs_PC = fitted(y_PC.argmax(axis=1))
    else:
        theirs_PC = np.stack([fitted(y_P)[:, 1] for y_P in y_PC.T], axis=1)
    model = load_model(chain.store, made)
    scores_NC = np.stack([score_clip(model, frames_of(chain.opened, c)).scores_C for c in chain.opened.clips("test")])
    assert np.abs(scores_NC - test.mean(theirs_PC)).max() < 0.01


def test_few_clips_a_label_are_those_that_the_dataset_leaves(chain, fit):
    config = config_of("neighbours")
    config = config.model_copy(update={"train": config.train.model_copy(update={"clips_per_label": 2})})
    made = fit(config)
    document = json.loads(made.files["model.json"].read(chain.store))
    assert made.facts["train_clips"] == document["architecture"]["head"]["stored_clips"] == 6


def test_a_dense_head_is_the_same_each_time(chain, fit):
    first = fit(config_of("dense", units=80))
    chain.store.delete(f"results/train_head/{first.key}/done.json")
    again = fit(config_of("dense", units=80))
    assert not again.reused
    assert again.digest == first.digest


def test_embeddings_of_another_network_are_refused(chain, fit):
    with pytest.raises(UserError, match="embed the dataset"):
        fit(config_of("linear"), source_of(config_of("linear"), seed=3, bottleneck=16))


def test_embeddings_at_other_windows_are_refused(chain, fit):
    config = config_of("linear")
    config = config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"hop_seconds": 0.48})})
    with pytest.raises(UserError, match=r"hop_seconds is 0\.48"):
        fit(config)


def test_a_dense_head_needs_steps(chain, fit):
    config = config_of("dense")
    config = config.model_copy(update={"train": config.train.model_copy(update={"steps": None})})
    with pytest.raises(UserError, match=r"train\.steps"):
        fit(config)


def test_the_index_of_embeddings_opens_the_dataset_without_frames(chain):
    opened = Dataset.open(chain.store, chain.dataset, chain.embedded)
    assert [c.clip_key for c in opened.clips("test")] == [c.clip_key for c in chain.opened.clips("test")]
