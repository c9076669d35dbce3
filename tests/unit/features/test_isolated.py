"""Real workers, hurt by the sounds that they are given: a boot of this test's has them die at certain words."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.config import DataConfig
from earmark.features import DecodeError, FeatureSpec, FrameStore, extract_features, frames_of, isolated, open_blocks
from earmark.features.isolated import Limits, Workers
from earmark.progress import Progress
from earmark.store import open_store
from earmark.store.tables import read_table

SPEC, WHOLE = FeatureSpec(), (None, None)

HURT = """
import os, signal, sys
import numpy as np
from earmark.features import worker
real = worker.frames_of_segments
def hurt(data, spec, segments):
    if b"crashes" in data or (b"once" in data and not os.path.exists(data.decode().split()[1])):
        b"once" in data and open(data.decode().split()[1], "x").close()
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"stands still" in data:
        os.kill(os.getpid(), signal.SIGSTOP)
    while b"goes on for ever" in data:
        pass
    if b"floods" in data:
        np.ones(1 << 30)
    return real(data, spec, segments)
worker.frames_of_segments = hurt
"""

EXTRACTION = """
import sys, threading
from pathlib import Path
from earmark.features import FeatureSpec, isolated
from earmark.features.isolated import Workers
isolated.BOOT = sys.argv[1]
class Told(set):
    def add(self, pid):
        super().add(pid)
        print(pid, workers._nursery._process.pid, flush=True)
with Workers(1) as workers:
    workers._busy = Told()
    workers.frames(b"goes on for ever", 16, FeatureSpec(), [(None, None)])
"""


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as some:
        yield some


@pytest.fixture(scope="module")
def boot() -> str:
    return isolated.BOOT.replace("main(", HURT + "main(")


@pytest.fixture
def hurt(boot, monkeypatch):
    """Workers that are hurt by certain words."""
    monkeypatch.setattr(isolated, "BOOT", boot)
    monkeypatch.setattr(isolated._Nursery, "_own", None)


def one(workers, audio: bytes):
    [found] = workers.frames(audio, len(audio), SPEC, [WHOLE])
    return found


def test_workers_find_what_this_process_finds(workers, recordings, tmp_path, tone):
    soundfile.write(tmp_path / "nan.wav", np.full(32_000, np.nan), 16_000, subtype="FLOAT")
    nan = (tmp_path / "nan.wav").read_bytes()
    sounds = [path.read_bytes() for path in recordings[:3]]
    for audio in [*sounds, sounds[0][:9000], b"", b"text", nan]:
        frames_TF, facts = one(workers, audio)
        expected_TF, expected = frames_of(audio, SPEC)
        assert facts == expected
        assert (frames_TF.dtype, frames_TF.tobytes()) == (expected_TF.dtype, expected_TF.tobytes())


def test_what_a_header_claims_and_blocks(workers, recordings, tmp_path):
    path = recordings[0]
    about, audio = soundfile.info(path), path.read_bytes()
    assert workers.header(audio, len(audio)) == (about.samplerate, about.channels, about.frames / about.samplerate)
    assert workers.header(io.BytesIO(audio), len(audio)) == workers.header(audio, len(audio))
    assert workers.header(b"text", 4) is None
    sound, expected = workers.open_blocks(path), open_blocks(path)
    assert (sound.rate, sound.claimed_seconds) == (expected.rate, expected.claimed_seconds)
    assert b"".join(block.tobytes() for block in sound.blocks) == b"".join(b.tobytes() for b in expected.blocks)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(DecodeError, match="format not recognised"):
        workers.open_blocks(tmp_path / "text.wav")
    next(iter(workers.open_blocks(path).blocks))  # abandoned: that worker is gone, the next is there
    assert one(workers, audio)[1].reason is None


def test_what_hurts_a_worker_costs_one_clip_and_others_are_as_ever(hurt, tmp_path, recordings, catalog_of, monkeypatch):
    for name, value in {"SECONDS": 1.0, "WALL": 6.0}.items():
        monkeypatch.setattr(isolated, name, value)
    data, store = tmp_path / "data", open_store(tmp_path / "store")
    data.mkdir()
    for path in recordings:
        (data / path.name).write_bytes(path.read_bytes())
    for words in ("crashes", "stands still", "goes on for ever", "floods", f"once {tmp_path / 'tried'}"):
        (data / f"{words.split()[0]}.wav").write_text(words)
    patches = extract_features(store, catalog_of(store, data), SPEC, DataConfig(), Progress("x", mode="off"))
    rows = {row["clip_key"]: row for row in read_table(patches.files["facts.parquet"].read(store)).to_pylist()}
    assert sorted(row["reason"] for row in rows.values() if row["reason"]) == [
        "cannot be decoded: format not recognised",  # the second try of what crashed once
        "cannot be decoded: the decoder crashed (SIGSEGV)",
        "cannot be decoded: took more than 1 s",
        "cannot be decoded: took more than 1 s",
        "cannot be decoded: wanted more than 1024 MiB",
    ]
    frames = FrameStore.open(store, patches)
    own = {
        rows[row["clip_key"]]["sound_sha256"]: frames.clip(row["shard"], row["first_row"], row["rows"]).tobytes()
        for row in read_table(patches.files["index.parquet"].read(store)).to_pylist()
    }
    expected = [frames_of(path.read_bytes(), SPEC) for path in recordings]
    assert own == {facts.sound_sha256: frames_TF.tobytes() for frames_TF, facts in expected}


def test_of_a_long_file_only_the_segment_is_lost_that_a_worker_died_at(workers, tone):
    file = io.BytesIO()
    soundfile.write(file, tone(120.0), 16_000, format="WAV", subtype="PCM_16")

    class Fatal(io.BytesIO):
        """A file whose late bytes kill who asks for them."""

        def read(self, size=-1):
            if self.tell() > 3_000_000:
                [pid] = workers._busy
                os.kill(pid, signal.SIGSEGV)
            return super().read(size)

    segments = [(1.0, 3.0), (100.0, 102.0), (30.0, 32.0)]
    found = workers.frames(Fatal(file.getvalue()), file.tell(), SPEC, segments)
    assert [facts.reason for _, facts in found] == [None, "cannot be decoded: the decoder crashed (SIGSEGV)", None]
    for at in (0, 2):
        assert found[at][0].tobytes() == frames_of(file.getvalue(), SPEC, *segments[at])[0].tobytes()


def test_a_small_file_of_endless_silence_gets_no_endless_memory(workers, monkeypatch):
    monkeypatch.setattr(isolated, "MEMORY_MIB", 48)
    file = io.BytesIO()
    soundfile.write(file, np.zeros(40_000_000, np.int16), 48_000, format="FLAC", subtype="PCM_16")
    audio = file.getvalue()
    assert len(audio) < 200_000
    limit = Limits.of(len(audio)).memory_mib
    assert one(workers, audio)[1].reason == f"cannot be decoded: wanted more than {limit} MiB"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(boot, how):
    with subprocess.Popen(
        [sys.executable, "-c", EXTRACTION, boot], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(how)
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_worker_knows_no_secret(monkeypatch, recordings):
    monkeypatch.setenv("EARMARK_S3_SECRET_KEY", "planted")
    monkeypatch.setattr(isolated._Nursery, "_own", None)
    with Workers(1) as some:
        assert one(some, recordings[0].read_bytes())[1].reason is None
        process = some._nursery._process.pid
        assert b"planted" not in Path(f"/proc/{process}/environ").read_bytes()


@pytest.mark.parametrize(
    ("limit", "most"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", 10**6), (None, 10**6)]
)
def test_a_containers_limit_counts(tmp_path, monkeypatch, limit, most):
    if limit is not None:
        (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(isolated, "CPU_MAX", tmp_path / "cpu.max")
    assert isolated.cores() == min(most, len(os.sched_getaffinity(0)))
