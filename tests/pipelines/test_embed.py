"""``earmark embed``, ``earmark similar`` and the graph ``embed``, with a trained model and real clips."""

import json
import subprocess
import sys

import numpy as np
import pytest

from earmark.config import Experiment, Variant, make_config
from earmark.pipelines.local import Place
from earmark.store import Manifest, open_store
from earmark.store.tables import read_table

from .conftest import earmark, environment


@pytest.fixture(scope="module")
def clips(three_labels):
    return sorted((three_labels / "audio").glob("*.ogg"))


@pytest.fixture(scope="module")
def embedded(compared, three_labels, tmp_path_factory):
    """The clips' embeddings in 8 bits, by a PCA of their own, as TFRecord."""
    to = tmp_path_factory.mktemp("embedded") / "out"
    options = ["--format", "tfrecord", "--fit-pca", "--work", compared[0]]
    done = earmark("embed", three_labels / "audio", "--to", to, *options)
    assert done.returncode == 0, done.stderr
    assert "36 clips" in done.stdout
    return to


def test_embeddings_say_what_made_them(embedded):
    document = json.loads((embedded / "embeddings.json").read_text())
    assert (document["model"], document["kind"], document["form"]) == ("earmark/1", "uint8", "tfrecord")
    assert (document["clips"], document["patch_seconds"]) == (36, 0.96)
    assert {path.name for path in embedded.iterdir()} == {
        "clips.parquet",
        "embeddings.json",
        "embeddings.tfrecord",
        "pca.safetensors",
    }


def test_a_clip_of_the_folder_is_the_most_like_itself(compared, embedded, clips):
    done = earmark("similar", clips[4], "--in", embedded, "--top", "3", "--json", "--work", compared[0])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 3
    assert found[0]["file"] == str(clips[4])
    assert found[0]["similarity"] == pytest.approx(1.0, abs=0.01)


def test_bad_files_are_named_and_the_others_embedded(compared, clips, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound")
    done = earmark("embed", clips[0], tmp_path / "bad.wav", "--to", tmp_path / "out", "--work", compared[0])
    assert done.returncode == 1
    assert "bad.wav: format not recognised; skipped" in done.stderr
    assert json.loads((tmp_path / "out" / "embeddings.json").read_text())["clips"] == 1


def test_the_graph_embeds_sounds_without_labels_extracted_in_three_partitions(compared, examples, tmp_path):
    for path in sorted((examples / "audio").glob("*.ogg"))[:48]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    place, data = Place(compared[0]), tmp_path
    base = make_config("quick")
    experiment = Experiment(base=base, variants=(Variant(name="embed"),)).to_json()
    arguments = {"data": str(data), "experiment": experiment, "model": "earmark", "kind": "raw", "run": "embed-1"}
    request = {"pipeline": "embed", "arguments": arguments, "artifacts": str(place.work / "runs" / "embed-1")}
    command = [sys.executable, "-m", "earmark.pipelines.runner"]
    own = {"EARMARK_STORE": str(place.work / "store"), "MLFLOW_TRACKING_URI": f"sqlite:///{place.work / 'mlflow.db'}"}
    told = environment(EARMARK_WORK=str(place.work), EARMARK_PROGRESS="json", EARMARK_FEATURE_PODS="3", **own)
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, env=told, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    store = open_store(compared[0] / "store")
    manifest = Manifest.from_json(store.get("runs/embed-1/export_embeddings.json"))
    table = read_table(manifest.files["clips.parquet"].read(store))
    assert table.num_rows == manifest.facts["clips"] == 48
    assert np.isfinite(np.array(table["embedding"].to_pylist())).all()

    names = [f"runs/embed-1/{name}.json" for name in ("extract_part.1", "extract_part.2", "extract_part.3")]
    made = [Manifest.from_json(store.get(name)) for name in names]
    patches = Manifest.from_json(store.get("runs/embed-1/extract_features.json"))
    assert all(part.facts["clips"] > 0 for part in made)
    assert sum(part.facts["clips"] for part in made) == patches.facts["extracted"]
    shards = {ref.object for part in made for ref in part.files.values()}
    assert shards <= {ref.object for ref in patches.files.values()}
