"""A pipeline run as a user starts it, killed at chosen instants and started again until it succeeds; what it leaves.

Kills are planned on an undisturbed run: each belongs to a step and to a share of the time from that step's start to the
next one's. What a run leaves is compared whole: weights, metrics, digests, points and versions, each once.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from earmark.store import open_store
from earmark.store.runs import RUNNING, SUCCEEDED, list_runs

EARMARK = Path(sys.executable).with_name("earmark")
COMMAND, LAST = "(command)", "finish_run"
"""Before the first step the command itself starts; the last one runs however the others ended."""
POLL_SECONDS = 0.01
HANGS_AFTER_SECONDS = 300
VICTIMS = {
    "tree": (signal.SIGKILL,),
    "command": (signal.SIGKILL, signal.SIGTERM, signal.SIGINT),
    "runner": (signal.SIGKILL, signal.SIGTERM),
    "step": (signal.SIGKILL, signal.SIGTERM, signal.SIGINT),
}
WAYS = [(victim, how) for victim, hows in VICTIMS.items() for how in hows]
WAYS += [(victim, how) for victim, how in WAYS if victim == "step"]
"""Half of all kills are of a step alone, which a run starts again by itself."""


@dataclass
class Kill:
    """One kill, and what followed."""

    step: str
    share: float
    """Of the time from this step's start to the next one's."""
    victim: str
    how: signal.Signals
    hit: str = ""
    """The step that ran last when it fired."""
    after: float = 0.0
    """Seconds from that step's start."""
    followed: str = ""
    said: str = ""
    faults: list[str] = field(default_factory=list)


class Life:
    """A command in a work folder of its own, from the same beginning each time.

    Args:
        folder: everything lies in it, at the same paths each time.
        command: the arguments of ``earmark``, without ``--work`` and ``--json``.
        before: a work folder to begin from, None for an empty one.

    Attributes:
        before_start: called in each new process before it becomes the command, as to set its limits.
    """

    def __init__(self, folder, command, before=None):
        self.work, self.command, self.before = folder / "work", [*command, "--json"], before
        self._told, self._pace = folder / "told", 1.0
        self.before_start = None
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("EARMARK_", "MLFLOW_"))}
        own = {"EARMARK_WORK": str(self.work), "EARMARK_CACHE": str(folder / "cache"), "COLUMNS": "200"}
        self.environment = {**kept, **own}

    def begin(self):
        """Everything as it was before the command was started for the first time."""
        shutil.rmtree(self.work, ignore_errors=True)
        if self.before is not None:
            shutil.copytree(self.before, self.work, symlinks=True)

    def undisturbed(self):
        """Run it to its end; the seconds from each step's start to the next one's, in their order."""
        self.begin()
        with self._start() as process:
            log, starts = Log(self.work), [(COMMAND, time.monotonic())]
            while process.poll() is None:
                starts += [(step, time.monotonic()) for event, step in log.events() if event == "started"]
                time.sleep(POLL_SECONDS)
        assert process.returncode == 0, self.said()
        ends = [at for _, at in starts[1:]] + [time.monotonic()]
        return {step: end - at for (step, at), end in zip(starts, ends, strict=True)}

    def run(self, at=None):
        """Run the command once.

        Args:
            at: by the names of steps, what is called with the command's process when one starts.

        Returns:
            The exit code.
        """
        waiting = dict(at or {})
        with self._start() as process:
            log = Log(self.work)
            while process.poll() is None:
                for event, step in log.events():
                    if event == "started" and step in waiting:
                        waiting.pop(step)(process)
                time.sleep(POLL_SECONDS)
        return process.returncode

    def disturbed(self, kills, seconds, tell):
        """Run it to its end with kills on the way, started again after each that ended it.

        Args:
            kills: in the order of their steps.
            seconds: of each step, from :meth:`undisturbed`.
            tell: called with each kill once it is known what followed.

        Returns:
            The kills that did not fire.
        """
        self.begin()
        coming, unsaid, first = list(kills), None, list(seconds)[1]
        while True:
            fired, goes_on = None, False
            with self._start() as process:
                log, current, started = Log(self.work), COMMAND, time.monotonic()
                began, heard, passed = started, started, set()
                while process.poll() is None:
                    news = [step for event, step in log.events() if event == "started"]
                    if news:
                        if current == first and not passed - {COMMAND}:
                            # The machine may be busier, or less busy, than it was for the undisturbed run.
                            self._pace = (time.monotonic() - started) / (seconds[COMMAND] + seconds[first])
                        passed |= {current, *news[:-1]} - {news[-1]}
                        current, began, goes_on = news[-1], time.monotonic(), True
                    due = bool(coming) and (
                        coming[0].step in passed or self._is_due(coming[0], current, time.monotonic() - began, seconds)
                    )
                    # One that was hit dies first, or goes on to another step; what a failed run does last counts not.
                    if due and (fired is None or (goes_on and current != LAST)):
                        if fired:
                            tell(fired)
                        goes_on = False
                        fired = coming.pop(0)
                        fired.hit, fired.after, fired.followed = current, time.monotonic() - began, "went on by itself"
                        self.fire(fired, process.pid)
                        heard = time.monotonic()
                    if fired and time.monotonic() - max(began, heard) > HANGS_AFTER_SECONDS:
                        fired.faults.append("hangs")
                        signalled(self.processes(), signal.SIGKILL)
                        process.wait()
                    time.sleep(POLL_SECONDS)
            told = "was killed: this goes on" in self.said()
            if unsaid and (told or current != COMMAND):
                if not told:
                    unsaid.faults.append("is not told at the next start")
                tell(unsaid)
                unsaid = None
            if process.returncode == 0:
                if fired:
                    tell(fired)
                return coming
            assert fired is not None, f"it ended with {process.returncode} though nobody killed it: {self.said()}"
            self._judge(fired, process.returncode)
            # A command that was killed outright tells nothing; the next one does, if a run had begun.
            if process.returncode == -signal.SIGKILL and self._state() == RUNNING:
                unsaid = unsaid or fired
                if unsaid is not fired:
                    tell(fired)
            else:
                tell(fired)

    def fire(self, kill, command):
        """Send a kill's signal to its victim, the whole step's processes where that is a step."""
        if kill.victim == "command":
            signalled([command], kill.how)
        elif kill.victim == "tree":
            signalled([command, *self.processes()], kill.how)
        else:
            word = {"runner": "earmark.pipelines.runner", "step": "kfp.dsl.executor_main"}[kill.victim]
            signalled(self.processes(word) or [command], kill.how)

    def processes(self, *words):
        """Running processes of this work folder whose command line holds all the words."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                line = path.with_name("cmdline").read_bytes().decode(errors="replace")
                if f"EARMARK_WORK={self.work}\0".encode() in path.read_bytes() and all(word in line for word in words):
                    found.append(int(path.parent.name))
            except OSError:  # ended meanwhile
                continue
        return found

    def said(self):
        """What the command told people, at its last start."""
        return self._told.read_text(errors="replace")

    def _start(self):
        self._told.parent.mkdir(parents=True, exist_ok=True)
        with self._told.open("w") as told:
            return subprocess.Popen(
                [str(EARMARK), *map(str, self.command)],
                stdout=subprocess.DEVNULL,
                stderr=told,
                env=self.environment,
                start_new_session=True,
                preexec_fn=self.before_start,
            )

    def _state(self):
        """What the newest run's record says of it, None where there is no run yet."""
        runs = list_runs(open_store(self.work / "store"))
        return runs[0].state if runs else None

    def _is_due(self, kill, current, elapsed, seconds):
        return current == kill.step and elapsed >= kill.share * seconds[current] * self._pace

    def _judge(self, kill, code):
        """What followed a kill that ended the command, and what is wrong with it."""
        kill.followed = f"ended with {code}"
        until = time.monotonic() + HANGS_AFTER_SECONDS / 10
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        if left:
            kill.faults.append(f"{len(left)} processes are left")
            signalled(left, signal.SIGKILL)
        lines = [line.strip() for line in self.said().splitlines() if line.strip()]
        if "Traceback" in self.said():
            kill.faults.append("shows a traceback")
        if code != -signal.SIGKILL:
            kill.said = lines[-1] if lines else ""
            told = any(word in kill.said for word in ("same command", "ended", "killed", "stopped"))
            # One that hits when the run has ended well has nothing to tell.
            if not told and kill.hit != COMMAND and self._state() != SUCCEEDED:
                kill.faults.append("is silent")


class Log:
    """The events that steps wrote since this was made."""

    def __init__(self, work):
        self._work = work
        self._at = {path: path.stat().st_size for path in work.glob("logs/*.log")}

    def events(self):
        """New ones: kind and step."""
        found = []
        for path in self._work.glob("logs/*.log"):
            with path.open("rb") as file:
                file.seek(self._at.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._at[path] = self._at.get(path, 0) + len(whole)
            for line in whole.decode(errors="replace").splitlines():
                start = line.find('{"earmark":')
                if start >= 0:
                    event = json.loads(line[start:])
                    found.append((event["earmark"], event["step"]))
        return found


def signalled(processes, how):
    """Send a signal to processes, as far as they are there."""
    for process in processes:
        try:
            os.kill(process, how)
        except ProcessLookupError:
            continue


def left_by(work):
    """All that a run leaves and that must not depend on how often it was killed."""
    store = work / "store"
    markers = {
        str(path.relative_to(store)): json.loads(path.read_bytes()) for path in store.glob("results/**/done.json")
    }
    results = {name: marker for name, marker in markers.items() if "checkpoints" not in name}
    scores = {name: marker["facts"].get("test") for name, marker in results.items() if "/evaluate_model/" in name}
    weights = {
        name: marker["files"]["weights.safetensors"] for name, marker in results.items() if "/train_model/" in name
    }
    ends = {path.parent.name: json.loads(path.read_bytes())["state"] for path in store.glob("runs/*/end.json")}
    # A comparison tells how long training took, and what follows is keyed by it.
    timed = ("compare_models", "register_model", "gate_model")
    digests = {name: marker["digest"] for name, marker in results.items() if name.split("/")[1] not in timed}
    counts = Counter(name.split("/")[1] for name in results)
    gates = sorted(
        [marker["facts"][key] for key in ("name", "version", "outcome", "stands", "promotion")]
        for name, marker in results.items()
        if "/gate_model/" in name
    )
    causes = sorted(str(path.relative_to(store)) for path in store.glob("runs/*/errors/*.json"))
    told = {"weights": weights, "scores": scores, "digests": digests, "results": dict(counts), "gates": gates}
    return {**told, "runs": ends, "causes": causes, **_in_mlflow(work / "mlflow.db")}


QUERIES = {
    "MLflow's runs": "select name, status, lifecycle_stage from runs where lifecycle_stage = 'active'",
    "MLflow's points": "select r.name, key, step, count(*) from metrics m join runs r on r.run_uuid = m.run_uuid "
    "where r.lifecycle_stage = 'active' and key != 'final/uncounted_attempts' group by m.run_uuid, key, step",
    "MLflow's losses": "select r.name, key, step, value from metrics m join runs r on r.run_uuid = m.run_uuid "
    "where key in ('train/loss', 'validation/map', 'validation/auc', 'test/map', 'test/auc')",
    "parameters": "select r.name, key, case when r.name = 'earmark' then '' else value end "
    "from params p join runs r on r.run_uuid = p.run_uuid",
    "versions": "select name, version, status from model_versions",
    "aliases": "select name, alias, version from registered_model_aliases",
    "logged models": "select name, status, lifecycle_stage from logged_models where lifecycle_stage = 'active'",
}


def _in_mlflow(database):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as rows:
        return {what: sorted(map(list, rows.execute(query)), key=repr) for what, query in QUERIES.items()}
