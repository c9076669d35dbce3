"""A long recording tagged on one core by the command, its start included, against the whole file at once.

The model is AlexNet of the quick preset, trained for a few steps on the example clips, which decides nothing here. The
peer does the same as a notebook would: soundfile, the library's frames, all windows through the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.harness import Figure, interleaved, ratios
from benchmarks.machine import ROOT
from benchmarks.sounds import long_file

TITLE = "A long recording tagged"
EARMARK = str(Path(sys.executable).with_name("earmark"))
FORMATS = ("wav", "flac", "ogg")
PEER = """
import json, sys
from pathlib import Path
import soundfile, torch
from earmark.evaluation import model_of, score_clip
from earmark.features import frames_of_sound, Sound
torch.set_num_threads(1)
folder = Path(sys.argv[2])
model = model_of((folder / "weights.safetensors").read_bytes(), json.loads((folder / "model.json").read_text()))
samples, rate = soundfile.read(sys.argv[1], dtype="float32", always_2d=True)
print(score_clip(model, frames_of_sound(Sound(samples, rate), model.features)[0]).scores_C.argmax())
"""


def measure(full: bool) -> Iterator[Figure]:
    minutes, rounds = (60, 3) if full else (5, 3)
    with tempfile.TemporaryDirectory() as made:
        folder = trained(Path(made))
        sounds = {form: Path(made, f"long.{form}") for form in FORMATS}
        for path in sounds.values():
            long_file(path, minutes * 60)
        commands = {form: [EARMARK, "tag", str(path), "--model", folder] for form, path in sounds.items()}
        commands["timeline"] = [*commands["wav"], "--timeline", "--hop", "0.24"]
        commands["peer"] = [sys.executable, "-c", PEER, str(sounds["wav"]), folder]
        peaks: dict[str, float] = {}
        works = {name: command_of(name, command, peaks) for name, command in commands.items()}
        times = interleaved(works, rounds, children_s)
    for name in commands:
        rates = tuple(minutes * 60 / took for took in times[name])
        what = "the whole file at once" if name == "peer" else name
        title = f"{minutes} minutes tagged, {what}, one core"
        yield Figure(
            f"tagging/{name}/rate", title, rates, "times real time", "more", note=f"at most {peaks[name]:.0f} MiB"
        )
    gains = ratios(times, "peer", "wav")
    yield Figure("tagging/wav/peer", f"{minutes} minutes tagged, wav", gains, "x", "more", "the whole file at once")
    memory = (peaks["wav"] / peaks["peer"],)
    yield Figure("tagging/wav/memory", "memory for it", memory, "x", "less", "the whole file at once")


def trained(work: Path) -> str:
    """The folder of a model's package."""
    options = ["--preset", "quick", "--architectures", "alexnet", "--steps", "5", "--model", "bench"]
    command = [EARMARK, "run", "compare", "--data", str(ROOT / "examples" / "esc10"), *options]
    environment = {**quiet(), "EARMARK_WORK": str(work / "work")}
    subprocess.run(command, cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)
    (document,) = (work / "work" / "models").glob("*/model.json")
    return str(document.parent)


def command_of(name: str, command: list[str], peaks: dict[str, float]) -> Callable[[], None]:
    """A command; the peak of its resident memory in MiB is noted."""

    def work() -> None:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=quiet())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, f"{command[:4]} ended with {process.returncode}"
        peaks[name] = max(peaks.get(name, 0.0), used.ru_maxrss / 1024)

    return work


def children_s() -> float:
    """Processor time of all commands that have ended, in seconds."""
    spent = os.times()
    return spent.children_user + spent.children_system


def quiet() -> dict[str, str]:
    """The environment without anybody's servers: what is made here stays in its folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EARMARK_", "MLFLOW_"))}
    return {**kept, "OMP_NUM_THREADS": "1", "EARMARK_PROGRESS": "off"}
