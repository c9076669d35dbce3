"""The whole product on real servers: sounds and results in a bucket, runs and models in MLflow on PostgreSQL."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

EARMARK = Path(sys.executable).with_name("earmark")
DATA, STORE = "s3://sounds/whole", "s3://earmark/whole"
SMALL = ["--set=architecture.width=0.1", "--set=train.batch_size=16", "--set=train.precision=fp32"]
SMALL += ["--set=evaluate.bootstrap_resamples=100"]
LABELS = 4
NEW = 24


class Product:
    """The command, told of the servers and nothing else."""

    def __init__(self, seaweedfs, stack, work):
        self.objects, self.mlflow = seaweedfs.client(), MlflowClient(stack.uri)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("EARMARK_", "MLFLOW_", "AWS_"))}
        told = {"EARMARK_STORE": STORE, "EARMARK_WORK": str(work), "MLFLOW_TRACKING_URI": stack.uri}
        cache = {"EARMARK_CACHE": str(work / "cache")}
        self.environment = {**kept, **seaweedfs.environment(), **told, **cache, "COLUMNS": "200"}

    def start(self, *arguments):
        command = [str(EARMARK), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, text=True, env=self.environment, **pipes)

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return out

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

    def upload(self, examples, rows):
        """Make the data set in the bucket: these clips and their CSV."""
        for row in rows:
            name = row["filename"]
            self.objects.fput_object("sounds", f"whole/audio/{name}", str(examples / "audio" / name))
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
        self.objects.put_object("sounds", "whole/clips.csv", io.BytesIO(data), len(data))

    def champion(self):
        return int(self.mlflow.get_model_version_by_alias("earmark", "champion").version)


def rows_of(examples):
    """Clips of some labels: half of each label and fold first, then the rest."""
    with (examples / "clips.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["label"] for row in rows})[:LABELS]
    seen, halves = {}, ([], [])
    for row in rows:
        if row["label"] in labels:
            place = row["label"], row["fold"]
            seen[place] = seen.get(place, 0) + 1
            halves[seen[place] % 2 == 0].append(row)
    return halves


@pytest.fixture
def product(seaweedfs, mlflow_stack, tmp_path):
    return Product(seaweedfs, mlflow_stack, tmp_path / "work")


def test_compare_retrain_promote_and_roll_back(product, examples, tmp_path):
    first, later = rows_of(examples)
    assert len(later) == NEW
    product.upload(examples, first)
    nets = ["--architectures", "fully_connected,alexnet"]
    compared = product.json("run", "compare", "--data", DATA, "--preset", "quick", *nets, "--steps", "2", *SMALL)
    assert compared["champion"] == {"name": "earmark", "version": 1}
    keys = {each.object_name for each in product.objects.list_objects("earmark", "whole/", recursive=True)}
    assert {"features", "results", "runs"} <= {key.split("/")[1] for key in keys}
    assert any("weights" in key for key in keys)
    stored = [each.object_name for each in product.objects.list_objects("mlflow", recursive=True)]
    assert any(name.endswith("weights.safetensors") for name in stored)
    assert not list((tmp_path / "work").rglob("mlflow.db"))
    [experiment] = [each for each in product.mlflow.search_experiments() if each.name == "earmark"]
    runs = product.mlflow.search_runs([experiment.experiment_id])
    trained = [run for run in runs if run.data.tags["mlflow.runName"] in ("fully_connected", "alexnet")]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all({"train/loss", "test/map"} <= set(run.data.metrics) for run in trained)
    assert len(trained) == 2

    told = product.run("run", "retrain", "--data", DATA)
    assert "nothing new" in told
    assert product.champion() == 1

    product.upload(examples, first + later)
    better = product.json("run", "retrain", "--data", DATA, "--steps", "150")
    assert better["news"]["new"] == NEW
    [patches] = [
        json.loads(product.objects.get_object("earmark", f"whole/runs/{better['run']}/extract_features.json").data)
    ]
    assert patches["facts"]["extracted"] == NEW
    assert better["outcome"] == "promoted", better["gate"]
    assert product.champion() == 2

    product.run("rollback", "earmark")
    assert product.champion() == 1
    history = product.run("models", "earmark")
    assert "rollback" in history or "rolled back" in history


def test_servers_killed_in_training_and_in_evaluation_and_started_again_cost_nothing(
    seaweedfs_own, mlflow_stack, three_labels, tmp_path
):
    product = Product(seaweedfs_own, mlflow_stack, tmp_path / "work")
    name = "killed"
    victims = {
        "✓ assemble_dataset": (seaweedfs_own, mlflow_stack.postgres),
        "✓ train_model/fully_connected": (seaweedfs_own, mlflow_stack.mlflow),
    }
    nets = ["--architectures", "fully_connected,alexnet"]
    asked = ["run", "compare", "--data", three_labels, "--preset", "quick", *nets, "--steps", "40", *SMALL]
    lines = []
    with product.start(*asked, "--model", name, "--json") as run:
        for line in run.stderr:
            lines.append(line)
            for server in next((killed for step, killed in victims.items() if step in line), ()):
                server.kill()
                server.start()
        out = run.stdout.read()
    if run.returncode != 0:
        # with the cause, and the same command completes it
        assert run.returncode in (1, 2), lines
        assert "run the same command again" in lines[-1], lines
        out = product.run(*asked, "--model", name, "--json")
    assert json.loads(out)["champion"]["name"] == name
    versions = product.mlflow.search_model_versions(f"name = '{name}'")
    assert [int(version.version) for version in versions] == [1]
