"""A malicious pickle wherever a file is read: refused with the file's name, and never loaded."""

import hashlib
import json
import pickle
import re
import zipfile

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from earmark.architectures import create
from earmark.architectures.vggish_import import read_vggish
from earmark.catalog import build_catalog
from earmark.catalog.ontology import find_ontology
from earmark.catalog.root import open_root
from earmark.config import make_config
from earmark.embeddings import Pca
from earmark.embeddings.folder import read_folder
from earmark.embeddings.published import read_examples
from earmark.errors import UserError
from earmark.features.decode import DecodeError, decode
from earmark.pipelines.cluster import read_cluster
from earmark.pipelines.kubeflow.schedules import read_schedules
from earmark.pipelines.settings import assignment, read_yaml
from earmark.progress import Progress
from earmark.registry import download, read_package
from earmark.registry.export.program import load_program, save_program
from earmark.store import open_store
from earmark.store.tables import read_table, write_table
from earmark.tracking import connect
from earmark.training.checkpoint import Checkpoint, Checkpoints
from earmark.training.initial import keep_initial

from .conftest import NAMES, Canary, pickles, torch_file

QUIET = Progress("x", mode="off")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def refused(*where):
    """The error of a file, which names it."""
    return pytest.raises(UserError, match="|".join(re.escape(str(each)) for each in where))


def test_the_canary_sings_where_it_is_loaded(tmp_path):
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary"))).close()
    assert (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_vggish_and_a_pca(canary, tmp_path, name):
    (tmp_path / name).write_bytes(pickles(canary)[name])
    for read in (read_vggish, Pca.load):
        with refused(tmp_path / name):
            read(tmp_path / name)


@pytest.mark.parametrize("name", NAMES)
def test_a_models_package_and_what_training_starts_from(canary, tmp_path, name):
    config = make_config("quick", {"train": {"init_from": str(tmp_path)}})
    weights = pickles(canary)[name]
    document = {"package_version": 1, "schema_version": 1, "weights_sha256": sha256(weights), "labels": ["a"]}
    document |= {name: getattr(config, name).model_dump() for name in ("architecture", "features")}
    (tmp_path / "weights.safetensors").write_bytes(weights)
    (tmp_path / "model.json").write_text(json.dumps(document))
    with refused(tmp_path / "weights.safetensors"):
        keep_initial(open_store(tmp_path / "store"), config)
    with refused(tmp_path / "weights.safetensors"):
        read_package(tmp_path)


def test_the_document_of_a_package(canary, tmp_path):
    (tmp_path / "model.json").write_bytes(pickle.dumps(canary, protocol=0))
    with refused(tmp_path / "model.json"):
        read_package(tmp_path)


def test_columns_of_python_types_in_a_parquet_file(canary, tmp_path):
    # Arrow itself unpickled these once
    metadata = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickle.dumps(canary)}
    schema = pa.schema([pa.field("file", pa.int32(), metadata=metadata)], {b"pandas": pickle.dumps(canary)})
    table = read_table(write_table(pa.Table.from_arrays([pa.array([1], pa.int32())], schema=schema)))
    assert table["file"].to_pylist() == [1]
    (tmp_path / "embeddings.json").write_text("{}")
    (tmp_path / "clips.parquet").write_bytes(pickle.dumps(canary))
    with refused(tmp_path):
        read_folder(tmp_path)


def test_published_embeddings(canary):
    with refused("eval/a.tfrecord"):
        read_examples(pickle.dumps(canary), "eval/a.tfrecord")


@pytest.mark.parametrize("name", ["clips.csv", "clips.jsonl", "ontology.json"])
def test_lists_beside_sounds(canary, tmp_path, name):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    (tmp_path / name).write_bytes(pickle.dumps(canary))
    with refused(name):
        find_ontology(open_root(str(tmp_path)))
        build_catalog(open_store(tmp_path / "store"), str(tmp_path), make_config("quick").data, QUIET)


@pytest.mark.parametrize("name", NAMES)
def test_a_sound(canary, name):
    with pytest.raises(DecodeError):
        decode(pickles(canary)[name])


def test_yaml(canary, tmp_path):
    path = tmp_path / "it.yaml"
    path.write_text(f"train: !!python/object/apply:builtins.open ['{canary.place}', w]\n")
    for read in (read_yaml, read_cluster, read_schedules):
        with refused(path):
            read(path)
    # what is no YAML is taken for text
    assert isinstance(assignment(f"data.x={path.read_text()}")["data"]["x"], str)


def checkpoint(store, state):
    """A checkpoint of a state, with a marker that vouches for it."""
    Checkpoints(store, "run", 2, print).save(Checkpoint({"w": torch.zeros(1)}, {"step": 1}))
    marker = json.loads(store.get("run/checkpoints/step-00000001/done.json"))
    marker["state"] |= {"size": len(state), "sha256": sha256(state)}
    store.put("run/checkpoints/step-00000001/state.safetensors", state)
    store.put("run/checkpoints/step-00000001/done.json", json.dumps(marker).encode())


@pytest.mark.parametrize("name", ["plain.pkl", "weights.pt"])
def test_a_checkpoint(canary, tmp_path, name):
    store = open_store(tmp_path / "store")
    checkpoint(store, pickles(canary)[name])
    other = f"{store.uri}/run/checkpoints/step-00000001"
    with refused(other):
        Checkpoints(store, "next", 2, print, resume_from=other).latest()
    told = []
    assert Checkpoints(store, "run", 2, told.append).latest() is None
    assert "step-00000001" in told[0]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A small program as ``torch.export`` saves it, its members by name."""

    class Sum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.ones(2))

        def forward(self, x_N):
            return {"sum": x_N.sum() + self.weight.sum()}

    made = torch.export.export(Sum(), (torch.zeros(8),), dynamic_shapes=({0: torch.export.Dim("N", min=2)},))
    made.example_inputs = None
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    save_program(made, path)
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def edited(document, old, new):
    assert old in document
    return document.replace(old, new)


WEIGHTS, CONSTANTS, MODEL = (
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
    "models/model.json",
)
HOSTILE = {
    "sample inputs": lambda m, p: {"data/sample_inputs/model.pt": torch_file((p,))},
    "a pickled weight": lambda m, p: {
        WEIGHTS: edited(m[WEIGHTS], b'"use_pickle": false', b'"use_pickle": true'),
        "data/weights/weight_0": torch_file(p),
    },
    "weights of the old form": lambda m, p: {"data/weights/model.pt": torch_file({"weight": p})},
    "constants of the old form": lambda m, p: {"data/constants/model.pt": torch_file({"weight": p})},
    "an object among the constants": lambda m, p: {
        CONSTANTS: json.dumps(
            {
                "config": {
                    "x": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False, "tensor_meta": None}
                }
            }
        ).encode(),
        "data/constants/opaque_obj_0": pickle.dumps(p),
    },
    "an archive in it": lambda m, p: {"extra/more.zip": torch_file(p)},
    "compiled code": lambda m, p: {"data/aotinductor/model/code.so": b"\x7fELF"},
    "a guard": lambda m, p: {
        MODEL: edited(m[MODEL], b'"guards_code": []', f'"guards_code": ["open({p.place!r}, chr(119))"]'.encode())
    },
    "a size": lambda m, p: {
        MODEL: re.sub(rb'"expr_str": "[^"]*"', f'"expr_str": "open({p.place!r}, chr(119))"'.encode(), m[MODEL], count=1)
    },
    "an operator": lambda m, p: {MODEL: edited(m[MODEL], b'"torch.ops.aten.sum.default"', b'"torch.os.system"')},
    "an operator that reads files": lambda m, p: {
        MODEL: edited(m[MODEL], b'"torch.ops.aten.sum.default"', b'"torch.ops.aten.from_file.default"')
    },
    "no JSON": lambda m, p: {MODEL: pickle.dumps(p)},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_program_with(program, canary, tmp_path, what):
    changed = HOSTILE[what](program, canary)
    assert changed.items() - program.items()
    path = tmp_path / "model.pt2"
    write_members(path, program | changed)
    with refused(path):
        load_program(path)


def test_the_program_as_it_was_is_read(program, tmp_path):
    path = tmp_path / "model.pt2"
    write_members(path, program)
    assert load_program(path)(np.ones(3, np.float32))["sum"] == 5


def test_a_pickle_instead_of_a_program(canary, tmp_path):
    path = tmp_path / "model.pt2"
    for data in (pickle.dumps(canary), torch_file(canary)):
        path.write_bytes(data)
        with refused(path):
            load_program(path)


def write_members(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)


def hostile_model(folder, canary):
    """A folder as MLflow saves a model of Python objects."""
    folder.mkdir()
    flavor = {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}
    flavor |= {"cloudpickle_version": "3.1.1", "python_version": "3.11.0", "artifacts": {}}
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"python_function": flavor}}))
    (folder / "python_model.pkl").write_bytes(pickle.dumps(canary))


def registered(name, folder, tags):
    """A version made of a folder by MLflow's client alone."""
    client = connect()
    experiment = client.create_experiment(f"experiment-{name}")
    run = client.create_run(experiment)
    model = client.create_logged_model(experiment, name="m", source_run_id=run.info.run_id)
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model(name)
    client.create_model_version(name, f"models:/{model.model_id}", run.info.run_id, tags=tags)
    client.set_registered_model_alias(name, "champion", "1")


def test_a_model_of_python_objects_in_mlflow(canary, tmp_path, mlflow_db):
    hostile_model(tmp_path / "theirs", canary)
    registered("theirs", tmp_path / "theirs", {})
    with refused("theirs/1"):
        download("theirs", "champion", tmp_path / "to")
    registered("outside", tmp_path / "theirs", {"earmark.package": "../../../outside"})
    with refused("outside/1"):
        download("outside", "champion", None)


def test_of_a_package_in_mlflow_only_the_files_that_it_seals_are_read(canary, tmp_path, mlflow_db):
    folder = tmp_path / "ours"
    hostile_model(folder, canary)
    save_file(create("alexnet", 2, 0.02).state_dict(), folder / "weights.safetensors")
    (folder / "README.md").write_text("a card")
    document = {"package_version": 1, "weights_sha256": sha256((folder / "weights.safetensors").read_bytes())}
    document |= {"python_model.pkl": sha256(b""), "../outside": sha256(b"")}
    (folder / "model.json").write_text(json.dumps(document))
    registered("ours", folder, {"earmark.package": sha256((folder / "model.json").read_bytes())})
    package = download("ours", "champion", tmp_path / "to")
    assert {path.name for path in package.folder.iterdir()} == {"model.json", "README.md", "weights.safetensors"}
