"""An hour of sound tagged on one core: times real time and memory, WAV, FLAC and Ogg, with a peer in the same run.

python benchmarks/tagging.py [MODEL] [minutes]

MODEL is a package's folder, or a registered model by the environment's EARMARK_WORK and MLFLOW_TRACKING_URI (default:
``earmark``). The hour is made of the example clips. The peer does the same work on the whole file at once, as a
notebook would: soundfile, soxr, the library's frames, all windows through the network. Figures are of the whole
command, its start included: processor time, and the peak of resident memory of the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

CLIPS = sorted((Path(__file__).parents[1] / "examples" / "esc10" / "audio").glob("*.ogg"))
RATE = 44_100
PEER = """
import json, sys
from pathlib import Path
import numpy as np, soundfile, soxr, torch
from earmark.evaluation import model_of, score_clip
from earmark.features import frames_of_sound, Sound
torch.set_num_threads(1)
folder = Path(sys.argv[2])
model = model_of((folder / "weights.safetensors").read_bytes(), json.loads((folder / "model.json").read_text()))
samples, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
print(score_clip(model, frames_of_sound(Sound(samples, rate), model.features)[0]).scores_C.argmax())
"""


def make(path: Path, seconds: int) -> None:
    """A file of so many seconds of real sound, written a block at a time."""
    subtype = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}[path.suffix]
    left = seconds * RATE
    with soundfile.SoundFile(path, "w", RATE, 1, subtype) as file:
        while left:
            for clip in CLIPS:
                samples_N = soundfile.read(clip, dtype="float32")[0][:left]
                file.write(samples_N)
                left -= len(samples_N)


def timed(command: list[str]) -> tuple[float, float]:
    """Processor seconds of a command and its children, and the peak of its own resident memory in MiB."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "EARMARK_PROGRESS": "off"}
    before = os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True)
    assert process.stderr is not None
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    drain.start()
    peak = 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.05)
    assert process.wait() == 0, f"{command[:4]} failed"
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, peak / 1024


def package_folder(model: str) -> str:
    """Where a model's package lies, for the peer."""
    if Path(model).is_dir():
        return model
    code = "import sys; from earmark.registry import fetch_package; print(fetch_package(sys.argv[1]).folder)"
    return subprocess.run(
        [sys.executable, "-c", code, model], check=True, capture_output=True, text=True
    ).stdout.strip()


def main(model: str = "earmark", minutes: str = "60") -> None:
    seconds = int(minutes) * 60
    earmark = str(Path(sys.executable).with_name("earmark"))
    folder = package_folder(model)
    with tempfile.TemporaryDirectory() as made:
        paths = [Path(made, f"hour{suffix}") for suffix in (".wav", ".flac", ".ogg")]
        for path in paths:
            make(path, seconds)
        wav = str(paths[0])
        jobs = {f"earmark tag, {path.suffix[1:]}": [earmark, "tag", str(path), "--model", model] for path in paths}
        jobs["earmark tag, wav, timeline of 0.24 s"] = [*jobs["earmark tag, wav"], "--timeline", "--hop", "0.24"]
        jobs["earmark tag, wav, package's folder"] = [earmark, "tag", wav, "--model", folder]
        jobs["whole file at once"] = [sys.executable, "-c", PEER, wav, folder]
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
        for _ in range(2):
            for name, command in jobs.items():
                found[name].append(timed(command))
    print(f"{seconds / 60:g} minutes, one thread, processor time of the whole command, the better of two")
    for name, runs in found.items():
        spent, peak = np.array(runs).min(axis=0)
        print(f"  {name:40s} {spent:7.1f} s {seconds / spent:7.0f}x real time {peak:7.0f} MiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
