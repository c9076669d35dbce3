"""Names out of archives, lists, packages and requests never lead out of the folder that they belong to."""

import csv
import io
import json
import stat
import struct
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from earmark.catalog import build_catalog
from earmark.catalog.unpack import unpack
from earmark.config import make_config
from earmark.errors import UserError
from earmark.features import extract_features
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.runs import read_run
from earmark.store.tables import read_table
from earmark.training.checkpoint import Checkpoint, Checkpoints

QUIET = Progress("x", mode="off")
PIECES = ("..", ".", "", "a", "C:", "\\", "..\\..", "/", "\0", "．．", "‥", "..\u2215b", " ..", "~", "con", "a" * 300)


def as_zip(path, members):
    """A zip of names and contents; a link has what it points to as content and True."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, link in members:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: ZipInfo itself would mend it
            info.external_attr = (stat.S_IFLNK | 0o777) << 16 if link else 0
            archive.writestr(info, content)
    return path


def as_tar(path, members):
    """A tar, likewise."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content, link in members:
            info = tarfile.TarInfo(name)
            info.size = 0 if link else len(content)
            if link:
                info.type, info.linkname = link, content.decode()
            archive.addfile(info, None if link else io.BytesIO(content))
    return path


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@example([["\0"]], True)
@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), min_size=1, max_size=2), st.booleans())
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_whatever_members_are_called_nothing_lies_outside(names, zipped):
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder, "deep", "er", "to")
        members = [("/".join(pieces) or "x", b"content", False) for pieces in names]
        archive = (as_zip if zipped else as_tar)(Path(folder, "archive"), members)
        with suppress(UserError):
            unpack([archive], to, QUIET)
        outside = {path for path in Path(folder).rglob("*") if not path.is_relative_to(to)}
        assert outside == {archive, Path(folder, "deep"), Path(folder, "deep", "er")}
        assert not any(path.is_symlink() for path in to.rglob("*"))


@pytest.mark.parametrize("make", [as_zip, as_tar])
@pytest.mark.parametrize("link", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["..", "/etc", "../outside"])
def test_a_link_and_a_file_through_it(tmp_path, make, link, target):
    (tmp_path / "outside").mkdir()
    archive = make(tmp_path / "archive", [("way", target.encode(), link), ("way/evil", b"x", False)])
    with pytest.raises(UserError, match="'way' is a link"):
        unpack([archive], tmp_path / "to", QUIET)
    assert list((tmp_path / "outside").iterdir()) == []
    assert list((tmp_path / "to").iterdir()) == []


def test_a_zip_that_holds_more_than_it_says(tmp_path):
    archive = as_zip(tmp_path / "x.zip", [("a.wav", b"\0" * (1 << 22), False)])
    data = bytearray(archive.read_bytes())
    for header, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        data[data.index(header) + at :][:4] = b""
        place = data.index(header) + at
        data[place : place + 4] = struct.pack("<I", 10)
    archive.write_bytes(data)
    with pytest.raises(UserError, match="is damaged"):
        unpack([archive], tmp_path / "to", QUIET)
    assert list((tmp_path / "to").iterdir()) == []


def test_files_that_a_list_names_outside_its_folder_are_missing_not_read(tmp_path):
    data, outside = tmp_path / "data", tmp_path / "outside"
    random = np.random.default_rng(0)
    for folder, names in ((data, "012345"), (outside, "abcdef")):
        folder.mkdir()
        for name in names:
            soundfile.write(folder / f"{name}.wav", random.normal(0, 0.1, 16_000), 16_000)
    rows = [(f"{number}.wav", "dog" if number % 2 else "rain") for number in range(6)]
    hostile = ["../outside/a.wav", str(outside / "b.wav"), f"file://{outside}/c.wav", "..\\outside\\d.wav"]
    hostile += [
        "/etc/passwd",
        "../../../../../../../../etc/passwd",
        "x/../../outside/e.wav",
        f"{data}/../outside/f.wav",
    ]
    with (data / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *rows, *((name, "dog") for name in hostile)])
    config = make_config("quick", {"data": {"max_rejected_share": 0.9}})
    store = open_store(tmp_path / "store")
    catalog = build_catalog(store, str(data), config.data, QUIET)
    clips = read_table(catalog.files["clips.parquet"].read(store)).to_pylist()
    read = [clip["uri"] for clip in clips if clip["sha256"]]
    assert len(clips) == len(rows) + len(hostile)
    assert sorted(read) == [name for name, _ in rows]
    patches = extract_features(store, catalog, config.features, config.data, QUIET)
    assert patches.facts["extracted"] == len(rows)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "../.."])
def test_names_of_runs_and_checkpoints(tmp_path, name):
    store = open_store(tmp_path / "store")
    store.put("run", b"")
    if name == "/etc/passwd":  # below the store, where there is nothing
        assert read_run(store, name) is None
    else:
        with pytest.raises(UserError, match="leads out of the store"):
            read_run(store, name)
    Checkpoints(store, "own", 2, print).save(Checkpoint({"w": torch.zeros(1)}, {"step": 1}))
    marker = json.loads(store.get("own/checkpoints/step-00000001/done.json"))
    marker["state"]["file"] = name
    store.put("own/checkpoints/step-00000001/done.json", json.dumps(marker).encode())
    other = Checkpoints(store, "next", 2, print, resume_from=f"{store.uri}/own/checkpoints/step-00000001")
    with pytest.raises(UserError, match=r"is damaged \(.*leads out of the store"):
        other.latest()
