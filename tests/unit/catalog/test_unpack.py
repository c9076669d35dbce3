"""Archives: whole or nothing, nothing outside the folder, and what is said of those that are refused."""

import fcntl
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from earmark.catalog.archives import unpack_command
from earmark.catalog.root import open_root
from earmark.catalog.unpack import unpack
from earmark.errors import UserError
from earmark.progress import Progress

FILES = {"sounds/dog/a.wav": b"a" * 300_000, "sounds/cat/b.wav": os.urandom(1000)}


@pytest.fixture
def archive(tmp_path):
    """Make an archive of files; extra members are (name, type) pairs of tarfile's, or ZipInfos."""

    def make(name, files=FILES, extra=()):
        path = tmp_path / name
        if name.endswith(".zip"):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
                for member, content in files.items():
                    whole.writestr(member, content)
                for info in extra:
                    whole.writestr(info, b"../../etc/passwd")
            return path
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as whole:
            for member, content in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                whole.addfile(info, io.BytesIO(content))
            for member, kind in extra:
                info = tarfile.TarInfo(member)
                info.type, info.linkname = kind, "sounds/dog/a.wav"
                whole.addfile(info)
        return path

    return make


@pytest.fixture
def told(tmp_path):
    def refuse(*archives):
        with pytest.raises(UserError) as error:
            unpack(archives, tmp_path / "to", Progress("unpack", mode="off"))
        assert "\n" not in str(error.value)
        return str(error.value)

    return refuse


def run(*archives, to):
    return unpack(archives, to, Progress("unpack", mode="off"))


def found(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz"])
def test_an_archive_is_unpacked_whole_and_a_second_time_nothing_is_written(archive, tmp_path, name):
    to = tmp_path / "to"
    [first] = run(archive(name), to=to)
    assert (first.files, first.size, first.folder, first.new) == (2, 301_000, to / "sounds", True)
    assert {name: (to / name).read_bytes() for name in FILES} == FILES
    [second] = run(archive(name), to=to)
    assert not second.new
    assert found(to) == set(FILES)
    assert [path.name for path in to.iterdir()] == ["sounds"]


def test_archives_share_folders(archive, tmp_path):
    to = tmp_path / "to"
    one, two = archive("1.zip", {"s/a.wav": b"1"}), archive("2.tar", {"s/b.wav": b"2", "t.csv": b"3"})
    assert [result.folder for result in run(one, two, to=to)] == [to / "s", to]
    assert found(to) == {"s/a.wav", "s/b.wav", "t.csv"}


def test_a_file_that_is_there_is_not_replaced_and_archives_before_it_stay(archive, told, tmp_path):
    one, two = archive("1.zip", {"a.wav": b"1"}), archive("2.zip", {"a.wav": b"2", "b.wav": b"2"})
    assert "to/a.wav is there already and is another file" in told(one, two)
    assert found(tmp_path / "to") == {"a.wav"}


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    ("member", "why"),
    [
        ("/etc/cron", "has an absolute path"),
        ("C:/a.wav", "has an absolute path"),
        ("sounds/../../a.wav", "leads out of the folder"),
    ],
)
def test_members_that_lead_out_refuse_the_archive(archive, told, tmp_path, suffix, member, why):
    said = told(archive(f"x.{suffix}", {**FILES, member: b"x"}))
    assert repr(member) in said
    assert why in said
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "no file"),
        (tarfile.FIFOTYPE, "no file"),
    ],
)
def test_links_and_devices_in_a_tar_refuse_it(archive, told, tmp_path, kind, why):
    said = told(archive("x.tar.gz", extra=[("evil", kind)]))
    assert "'evil'" in said
    assert why in said
    assert list((tmp_path / "to").iterdir()) == []


def test_links_and_encrypted_members_of_a_zip_refuse_it(archive, told, tmp_path):
    link = zipfile.ZipInfo("evil")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "'evil' is a link" in told(archive("x.zip", extra=[link]))
    path = archive("y.zip", {"a.wav": b"abc"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "'a.wav' is encrypted" in told(path)


def test_what_macos_adds_is_left_out(archive, tmp_path):
    path = archive("x.zip", {"s/a.wav": b"1", "__MACOSX/s/._a.wav": b"2"})
    [result] = run(path, to=tmp_path / "to")
    assert (result.files, result.folder.name, found(tmp_path / "to")) == (1, "s", {"s/a.wav"})


@pytest.mark.parametrize(("name", "cut"), [("x.zip", 60), ("x.tar", 20_000), ("x.tar.gz", 40)])
def test_a_damaged_archive_leaves_nothing(archive, told, tmp_path, name, cut):
    path = archive(name)
    path.write_bytes(path.read_bytes()[:-cut] if name != "x.tar" else path.read_bytes()[:cut])
    assert "damaged" in told(path)
    assert not (tmp_path / "to").exists() or list((tmp_path / "to").iterdir()) == []


def test_a_bit_that_fell_over_is_noticed(archive, told):
    path = archive("x.zip")
    data = bytearray(path.read_bytes())
    data[data.index(FILES["sounds/cat/b.wav"][:20])] ^= 1  # noise is stored as it is
    path.write_bytes(data)
    assert "is damaged (Bad CRC-32" in told(path)


def test_a_tar_whose_later_headers_are_damaged_or_cut_off_is_not_taken_for_a_shorter_one(archive, told):
    path = archive("x.tar", {"a.wav": b"1", "b.wav": b"2", "c.wav": b"3"})
    data = bytearray(path.read_bytes())
    data[1024 + 10] ^= 1  # the name of the second member
    path.write_bytes(data)
    assert "damaged (bad checksum)" in told(path)
    path = archive("y.tar", {"a.wav": b"1", "b.wav": b"2"})
    path.write_bytes(path.read_bytes()[:2048])
    assert "damaged (empty header)" in told(path)


def test_tars_put_together_and_a_wrong_checksum_of_gzip_are_noticed(archive, told):
    one, two = archive("1.tar", {"a.wav": b"1"}), archive("2.tar", {"b.wav": b"2"})
    one.write_bytes(one.read_bytes() + two.read_bytes())
    assert "damaged (something follows its end)" in told(one)
    path = archive("x.tar.gz")
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    assert "a damaged one" in told(path)


def test_more_than_the_disk_holds_is_refused_before_it_is_written(archive, told, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 10, 1000))
    said = told(archive("x.zip"))
    assert "'sounds/dog/a.wav' needs" in said
    assert "free some space" in said


def test_a_zip_in_parts_is_told_with_the_command_that_joins_it(archive, told, tmp_path):
    path = archive("FSD50K.dev_audio.zip")
    (tmp_path / "FSD50K.dev_audio.z01").write_bytes(b"part")
    said = told(path)
    assert "in 2 parts" in said
    assert f"zip -s 0 {path} --out {tmp_path}/FSD50K.dev_audio.whole.zip" in said


def test_what_a_killed_one_has_left_is_removed_but_not_from_under_one_that_runs(archive, told, tmp_path):
    to = tmp_path / "to"
    (to / ".unpacking-left" / "whole").mkdir(parents=True)
    folder = os.open(to, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert "another command unpacks to" in told(archive("x.zip"))
    assert [path.name for path in to.iterdir()] == [".unpacking-left"]
    os.close(folder)
    run(archive("x.zip"), to=to)
    assert [path.name for path in to.iterdir()] == ["sounds"]


def test_what_is_no_archive_is_named(told, tmp_path):
    (tmp_path / "a.zip").write_text("words")
    assert "a.zip is no archive" in told(tmp_path / "a.zip")
    assert "b.zip is not there" in told(tmp_path / "b.zip")
    assert "is no file" in told(tmp_path)


@pytest.mark.parametrize("data", ["", "/1.zip"])
def test_archives_given_as_data_are_refused_with_the_command(archive, tmp_path, data):
    archive("1.zip")
    with pytest.raises(UserError) as error:
        open_root(f"{tmp_path}{data}")
    assert f"earmark data unpack {tmp_path}/1.zip --to {tmp_path}" in str(error.value)


def test_the_command_quotes_paths_and_names_many_by_pattern():
    assert unpack_command(["a b.zip"], "a b") == "earmark data unpack 'a b.zip' --to 'a b'"
    many = [f"/d/{n}.tar.gz" for n in range(20)] + ["x.zip"]
    assert unpack_command(many, "/d") == "earmark data unpack ./*.zip /d/*.tar.gz --to /d"


def test_a_folder_may_be_called_as_an_archive(tmp_path):
    Path(tmp_path, "sounds.zip", "dog").mkdir(parents=True)
    Path(tmp_path, "sounds.zip", "dog", "a.wav").write_bytes(b"")
    assert list(open_root(str(tmp_path / "sounds.zip")).audio) == ["dog/a.wav"]
