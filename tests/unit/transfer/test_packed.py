"""A fitted head as a registered model has it: exported, compared with the network, and used on a sound."""

from types import SimpleNamespace

import numpy as np
import torch

from earmark.architectures import create
from earmark.config import EvaluateConfig, FeatureSpec, HeadConfig
from earmark.evaluation import Model, load_model, model_of
from earmark.evaluation.model import score_clip
from earmark.features import frames_of, open_blocks
from earmark.registry import Sounds, read_package
from earmark.registry.ending import Network
from earmark.registry.export.check import check_program, made_waveforms
from earmark.registry.export.program import export_program, load_program, save_program
from earmark.registry.pack import pack
from earmark.tagging.tagger import tag_sound
from earmark.transfer import evaluate_head

from .conftest import QUIET, RUN, config_of


def test_a_head_is_packed_and_tags_as_it_was_fitted(chain, fit, tmp_path, three_labels):
    config = config_of("dense", units=80)
    made = fit(config)
    metrics = evaluate_head(chain.store, made, chain.dataset, chain.embedded, chain.patches, config, QUIET)
    comparison = SimpleNamespace(facts={"dataset": chain.dataset.facts, "evaluated_clips": 12})
    sounds = Sounds(chain.catalog, chain.patches, chain.dataset)
    network = Network("head", made, metrics, "")
    # pack compares the exported program and MLflow's model with the network, and raises where they differ
    pack(tmp_path / "package", chain.store, comparison, network, sounds, "heads", RUN, QUIET)
    package = read_package(tmp_path / "package")
    model = model_of(package.weights.read_bytes(), package.document)
    path = sorted((three_labels / "audio").glob("*.ogg"))[0]
    theirs_C = score_clip(load_model(chain.store, made), frames_of(path.read_bytes(), model.features)[0]).scores_C
    *_, whole = tag_sound(model, open_blocks(path))
    scores = {tag.label: tag.raw_score for tag in whole.tags}
    assert np.allclose([scores[label] for label in model.labels], theirs_C, atol=1e-5)


def test_votes_of_neighbours_are_exported(tmp_path):
    torch.manual_seed(0)
    network = create("fully_connected", 3, 0.05, head=HeadConfig(kind="neighbours", stored_clips=20)).eval()
    network.output.embeddings.copy_(torch.nn.functional.normalize(torch.rand(20, network.embedding_size), dim=1))
    network.output.targets.copy_(torch.eye(3)[torch.arange(20) % 3])
    model = Model(network, ("a", "b", "c"), FeatureSpec(), EvaluateConfig(), {})
    save_program(export_program(model), tmp_path / "model.pt2")
    check_program(load_program(tmp_path / "model.pt2"), model, made_waveforms(), "the program")
