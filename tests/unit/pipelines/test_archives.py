"""``earmark data unpack`` and ``earmark data forms``."""

import json
import zipfile

from typer.testing import CliRunner

from earmark.catalog.adapters import FORMS
from earmark.errors import UserError
from earmark.pipelines.cli import app


def invoke(*words):
    return CliRunner().invoke(app, ["data", *map(str, words)])


def test_what_came_of_each_archive_and_what_to_do_next(tmp_path):
    for name in ("one", "two"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as whole:
            whole.writestr(f"sounds/{name}.wav", b"x" * 100_000)
    told = invoke("unpack", tmp_path / "one.zip", tmp_path / "two.zip", "--to", tmp_path / "a b")
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        f"{tmp_path}/one.zip: 1 file, 0.1 MB",
        f"{tmp_path}/two.zip: 1 file, 0.1 MB",
        f"next: earmark data check '{tmp_path}/a b/sounds'",
    ]
    again = invoke("unpack", tmp_path / "one.zip", "--to", tmp_path / "a b")
    assert "1 file, 0.1 MB, all there already" in again.stdout


def test_what_people_get_wrong_ends_the_command(tmp_path):
    assert isinstance(invoke("unpack", tmp_path / "absent.zip", "--to", tmp_path / "to").exception, UserError)
    assert not (tmp_path / "to").exists()


def test_every_form_is_listed():
    assert [form["name"] for form in json.loads(invoke("forms", "--json").stdout)] == [form.name for form in FORMS]
    table = invoke("forms").stdout
    assert all(form.name in table for form in FORMS)
