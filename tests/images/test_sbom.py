"""The list of what an image holds, made here of the environment of the tests."""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_LICENSE = {"cuda-toolkit"}
"""Distributions that say nowhere what their license is."""


@pytest.fixture(scope="module")
def document():
    done = subprocess.run(
        [sys.executable, ROOT / "images" / "sbom.py", "steps"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_every_distribution_is_there_with_its_version_and_license(document):
    told = {part["name"]: part for part in document["components"] if part["purl"].startswith("pkg:pypi/")}
    there = {re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower(): found.version for found in distributions()}
    assert {name: part["version"] for name, part in told.items()} == there
    assert {name for name, part in told.items() if not part.get("licenses")} <= WITHOUT_LICENSE
    assert told["numpy"]["purl"] == f"pkg:pypi/numpy@{there['numpy']}"
    assert told["earmark"]["licenses"] == [{"expression": "Apache-2.0"}]


def test_it_is_cyclonedx(document):
    # The schema's demands on what is written here: known keys, one choice a license, references that are there once.
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert document["metadata"]["component"] == {"type": "container", "bom-ref": "steps", "name": "steps"}
    assert document.keys() == {"bomFormat", "specVersion", "version", "metadata", "components"}
    for part in document["components"]:
        assert part.keys() - {"licenses"} == {"type", "bom-ref", "name", "version", "purl"}
        licenses = part.get("licenses", [])
        assert all(list(each) in (["expression"], ["license"]) for each in licenses)
        assert len(licenses) == 1 or not any("expression" in each for each in licenses)
    references = [part["bom-ref"] for part in document["components"]]
    assert len(references) == len(set(references))


@pytest.mark.parametrize("image", ["steps", "train", "mlflow"])
def test_every_image_is_told_of_when_it_is_complete(image):
    last = (ROOT / "images" / image / "Containerfile").read_text().rpartition("\nFROM ")[2]
    made = last.index(f"python3 /build/sbom.py {image} > /opt/")
    assert max(last.rindex("COPY --from="), last.index("ENV PATH=")) < made < last.index("USER 10001")
