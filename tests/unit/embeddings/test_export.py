"""Embeddings of real clips: by files and by the steps of the graph, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from earmark.architectures import create
from earmark.catalog import list_clips
from earmark.config import DataConfig, EvaluateConfig, FeatureSpec
from earmark.embeddings import (
    About,
    Pca,
    dequantise,
    embed_sound,
    export_embeddings,
    nearest,
    new_folder,
    quantise,
    read_folder,
)
from earmark.errors import UserError
from earmark.evaluation import Model
from earmark.features import extract_features, open_blocks
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.tables import read_table

QUIET = Progress("test", mode="off")


def model_of(name, **options):
    torch.manual_seed(1)
    network = create(name, 3, 0.1, options.get("bottleneck"), 0.0).eval()
    return Model(network, ("a", "b", "c"), FeatureSpec(), EvaluateConfig(), {})


@pytest.fixture(scope="module")
def made(three_labels, tmp_path_factory):
    store, model = open_store(tmp_path_factory.mktemp("store")), model_of("alexnet")
    (three_labels / "audio" / "broken.wav").write_text("no sound")
    try:
        catalog = list_clips(store, str(three_labels / "audio"), QUIET)
        patches = extract_features(store, catalog, model.features, DataConfig(), QUIET)
    finally:
        (three_labels / "audio" / "broken.wav").unlink()
    files = sorted((three_labels / "audio").glob("*.ogg"))
    embedded = {path.name: embed_sound(model, open_blocks(path)) for path in files[:8]}
    pca = Pca.fit(np.concatenate([found.patches_PE for found in embedded.values()]), 16)
    return SimpleNamespace(store=store, model=model, catalog=catalog, patches=patches, embedded=embedded, pca=pca)


def about(kind, form="parquet"):
    return About("made/1", "0" * 64, kind, form)


@pytest.mark.parametrize("kind", ["raw", "whitened", "uint8"])
def test_the_step_and_the_command_give_the_same_embeddings(made, kind, tmp_path):
    found = export_embeddings(made.store, made.catalog, made.patches, made.model, made.pca, about(kind), QUIET)
    table = read_table(found.files["clips.parquet"].read(made.store))
    assert (found.facts["clips"], table.num_rows) == (36, 36)
    by_file = dict(zip(table["file"].to_pylist(), table["embedding"].to_pylist(), strict=True))
    with new_folder(tmp_path / "out", about(kind), made.pca) as folder:
        for name, embedded in made.embedded.items():
            folder.add(name, embedded)
    opened = read_folder(tmp_path / "out")
    for name, clip_K in zip(opened.files, opened.clips_NK, strict=True):
        other_K = np.array(by_file[name], np.uint8 if kind == "uint8" else np.float32)
        other_K = dequantise(other_K) if kind == "uint8" else other_K
        assert np.allclose(clip_K, other_K, atol=0.02 if kind == "uint8" else 1e-3)
    patches = read_table(found.files["patches-0000.parquet"].read(made.store))
    assert patches.num_rows == found.facts["patches"] >= 36 * 5
    assert patches["start_s"].to_pylist()[:3] == pytest.approx([0.0, 0.96, 1.92])


def test_embeddings_are_the_values_before_the_activation(made):
    values_PE = next(iter(made.embedded.values())).patches_PE
    assert (values_PE < 0).any()
    head_PE = np.maximum(values_PE, 0)
    assert head_PE.shape[1] == made.model.network.embedding_size


@pytest.mark.parametrize("name", ["fully_connected", "vgg", "resnet50"])
def test_what_the_head_is_given_follows_from_the_embedding(name):
    from earmark.embeddings import linear_values

    network, x_PTF = model_of(name).network, torch.randn(2, 96, 64)
    with torch.inference_mode():
        assert torch.equal(linear_values(network, x_PTF).relu(), network.features(x_PTF))


def test_a_bottlenecks_embedding_is_its_own_linear_value():
    from earmark.embeddings import linear_values

    network, x_PTF = model_of("alexnet", bottleneck=16).network, torch.randn(2, 96, 64)
    with torch.inference_mode():
        assert torch.equal(linear_values(network, x_PTF), network.features(x_PTF))


def test_a_npz_needs_no_pickles(made, tmp_path):
    with new_folder(tmp_path / "out", about("uint8", "npz"), made.pca) as folder:
        for name, embedded in made.embedded.items():
            folder.add(name, embedded)
    with np.load(tmp_path / "out" / "embeddings.npz", allow_pickle=False) as file:
        assert file["files"].tolist() == list(made.embedded)
        expected = [quantise(made.pca.whiten(found.patches_PE)) for found in made.embedded.values()]
        assert np.array_equal(file["patch"], np.concatenate(expected))
        assert np.array_equal(np.bincount(file["patch_file"]), [len(values) for values in expected])


def test_a_tfrecord_is_read_by_an_independent_reader(made, tmp_path):
    from tfrecord import reader

    with new_folder(tmp_path / "out", about("uint8", "tfrecord"), made.pca) as folder:
        for name, embedded in made.embedded.items():
            folder.add(name, embedded)
    path = str(tmp_path / "out" / "embeddings.tfrecord")
    read = list(reader.sequence_loader(path, None, {"video_id": "byte"}, {"audio_embedding": "byte"}))
    assert [bytes(context["video_id"]).decode() for context, _ in read] == list(made.embedded)
    for (_, features), embedded in zip(read, made.embedded.values(), strict=True):
        found = np.stack([np.frombuffer(bytes(value), np.uint8) for value in features["audio_embedding"]])
        assert np.array_equal(found, quantise(made.pca.whiten(embedded.patches_PE)))


def test_a_clip_is_nearest_to_itself(made):
    clips_NK = made.pca.whiten(np.stack([found.clip_E for found in made.embedded.values()]))
    for row in range(len(clips_NK)):
        (first, similarity), *others = nearest(clips_NK, clips_NK[row], 3)
        assert (first, similarity) == (row, pytest.approx(1.0, abs=1e-5))
        assert all(other <= similarity for _, other in others)


def test_a_folder_that_failed_is_not_there_and_an_older_one_stays(made, tmp_path):
    name, embedded = next(iter(made.embedded.items()))
    with new_folder(tmp_path / "out", about("raw"), None) as folder:
        folder.add(name, embedded)
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out", about("raw"), None) as folder:  # noqa: PT012
        folder.add("other", embedded)
        raise KeyboardInterrupt
    assert read_folder(tmp_path / "out").files == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_holds_something_else_is_left_alone(made, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(UserError, match="something else than embeddings"),
        new_folder(tmp_path / "mine", about("raw"), None),
    ):
        pass
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(UserError, match="no embeddings"):
        read_folder(tmp_path / "mine")


def test_patches_of_another_front_end_are_refused(made):
    from dataclasses import replace

    other = replace(made.model, features=FeatureSpec(tail="drop"))
    with pytest.raises(UserError, match="not made for model made/1"):
        export_embeddings(made.store, made.catalog, made.patches, other, None, about("raw"), QUIET)


def test_whitening_without_a_pca_is_refused(made, tmp_path):
    embedded = next(iter(made.embedded.values()))
    with pytest.raises(UserError, match="has no PCA"), new_folder(tmp_path / "x", about("whitened"), None) as folder:
        folder.add("a", embedded)
