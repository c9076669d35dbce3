import json
from dataclasses import replace

import pytest
from made_run import LABELS, SPLITS, make_run, make_weights

from earmark.errors import UserError
from earmark.progress import Progress
from earmark.registry import download, fetch_package, promote, read_package, register_model
from earmark.store import CorruptObject, open_store


@pytest.fixture
def downloaded(tmp_path, mlflow_db):
    """The champion of a run, brought to a folder."""
    store = open_store(tmp_path / "store")
    made = make_run(store)
    register_model(store, *made.arguments, "esc10", made.context, Progress("x", mode="off"))
    promote("esc10", 1, "the first", "test")
    return download("esc10", "champion", tmp_path / "package"), tmp_path / "package"


def test_the_champion_comes_back_as_it_was_trained(downloaded):
    package, folder = downloaded
    assert package.weights.read_bytes() == make_weights("fully_connected", 0.02, len(LABELS), 0)
    assert package.document["labels"] == ["dog", "rain", "siren"]
    assert package.document["scores"]["test"]["map"] == 0.61
    assert (folder / "README.md").read_text().startswith("# esc10")
    assert download("esc10", "1", folder).document == package.document


def test_a_package_tells_which_clips_it_was_trained_on_and_which_were_left_out(downloaded):
    package, _ = downloaded
    clips = {row["clip_id"]: row for row in package.clips().to_pylist()}
    assert [clips[f"rain-{split}.wav"]["split"] for split in SPLITS] == list(SPLITS)
    assert clips["rain-train.wav"]["labels"] == ["rain"]
    assert clips["silent.wav"]["split"] is None
    assert clips["silent.wav"]["clip_key"] == clips["silent.wav"]["sha256"]
    assert package.document["label_ids"] == list(LABELS)


def test_an_older_package_without_clips_says_so(downloaded):
    package, _ = downloaded
    older = {name: value for name, value in package.document.items() if name != "clips_sha256"}
    with pytest.raises(UserError, match="esc10/1 does not tell its clips"):
        replace(package, document=older).clips()


def test_an_altered_file_is_named_and_refused(downloaded, tmp_path):
    package, folder = downloaded
    for name in ("weights.safetensors", "clips.parquet", "model.pt2", "pca.safetensors"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1] + b"\0" + data[-1:])
        with pytest.raises(CorruptObject, match=rf"{name} was altered after registration"):
            read_package(folder)
        (folder / name).write_bytes(data)
    [registered] = (tmp_path / "mlartifacts").rglob("model.json")
    registered.write_text(json.dumps(package.document | {"labels": ["cat", "rain", "siren"]}))
    with pytest.raises(CorruptObject, match=r"model\.json was altered after registration"):
        download("esc10", "champion", tmp_path / "again")


def test_a_folder_that_is_no_package_is_told(tmp_path):
    with pytest.raises(UserError, match=r"not a whole model package: model\.json is not there"):
        read_package(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"")
    (tmp_path / "model.json").write_text('{"package_version": 9}')
    with pytest.raises(UserError, match="schema 9 where this version reads 1"):
        read_package(tmp_path)


@pytest.mark.parametrize("version", ["7", "challenger"])
def test_a_version_that_does_not_exist_is_told(downloaded, tmp_path, version):
    with pytest.raises(UserError, match=f"'esc10' has no version or alias '{version}'"):
        download("esc10", version, tmp_path / "none")


def test_a_model_is_found_by_what_people_call_it_and_downloaded_once(downloaded, tmp_path, monkeypatch):
    package, folder = downloaded
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path / "work"))
    found = [fetch_package(name) for name in ("esc10", "esc10@champion", "models:/esc10@champion", "models:/esc10/1")]
    assert {each.title for each in found} == {"esc10/1"}
    [kept] = (tmp_path / "work" / "models").iterdir()
    assert {each.folder for each in found} == {kept}
    assert found[0].weights.read_bytes() == package.weights.read_bytes()
    assert fetch_package(str(folder)).document == package.document
    for name in ("models:/@champion", "runs:/esc10/1", str(tmp_path)):
        with pytest.raises(UserError, match="is no model: give a package's folder, NAME, NAME@champion or NAME/3"):
            fetch_package(name)
