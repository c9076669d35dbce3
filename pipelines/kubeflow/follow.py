"""A run on the cluster, watched from here: its steps, their progress, and what keeps a pod from starting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from earmark.checking.lines import MARKS
from earmark.errors import EarmarkError
from earmark.pipelines.kubeflow.client import Kubeflow
from earmark.pipelines.kubeflow.kube import Kube, Unseen, open_kube
from earmark.pipelines.kubeflow.logs import Reader
from earmark.pipelines.kubeflow.pods import Trouble, pods_of, refused_of, step_of, troubles, waits_for
from earmark.pipelines.kubeflow.steps import ENDED, Step, steps_of, told
from earmark.pipelines.terminal import Terminal

POLL_SECONDS = 3.0
QUIET_SECONDS = 60.0
"""After so long without a word it is said where the run is."""
SLOW_SECONDS = 10.0
"""A pod that has not started by then is asked what it waits for."""
REFUSED_SECONDS = 10.0
"""How often Argo's word on the whole run is read, which is large; a refused pod is found nowhere else."""
AWAY_SECONDS = 600.0
"""How long a back end may be away; the run goes on meanwhile."""
LOG_LINES = 200
TAIL_LINES = 12


class Follower:
    """Tells a terminal what happens to a run."""

    def __init__(self, kubeflow: Kubeflow, run: str, terminal: Terminal) -> None:
        self.kubeflow, self.run, self.terminal = kubeflow, run, terminal
        self.troubles: list[Trouble] = []
        """What was wrong with pods, in the order that it was seen."""
        self.errors: list[Mapping[str, Any]] = []
        """What steps told of their ends: ``step``, ``message``, ``exit_code``."""
        self._kube = self._open()
        self._states: dict[str, str] = {}
        self._readers: dict[str, Reader] = {}
        self._read: set[str] = set()
        self._spoke = time.monotonic()
        self._looked = 0.0
        self._pending: dict[str, float] = {}
        self._waits: set[tuple[str, str]] = set()

    def follow(self) -> Any:
        """The run, once it has ended.

        Raises:
            EarmarkError: the back end was away for too long; the run goes on.
            KeyboardInterrupt: whoever watched went; the run goes on.
        """
        while True:
            run = self._asked()
            steps = steps_of(run)
            if self._kube is None:
                self._tell_steps(steps)
            else:
                self._tell_pods(self._kube)
            if run.state in ENDED:
                return run
            if time.monotonic() - self._spoke > QUIET_SECONDS:
                self._say(f"  {told(steps)}")
            time.sleep(POLL_SECONDS)

    def _asked(self) -> Any:
        """The run; a port-forward that broke, or a back end that starts anew, is waited for."""
        until = time.monotonic() + AWAY_SECONDS
        warned = False
        while True:
            try:
                return self.kubeflow.ask(self.kubeflow.client._run_api.run_service_get_run, self.run)
            except EarmarkError as error:
                if error.exit_code == 2 or time.monotonic() > until:
                    raise
                if not warned:
                    self._say(f"  {error}; waiting, the run goes on meanwhile")
                    warned = True
            time.sleep(POLL_SECONDS)

    def _open(self) -> Kube | None:
        try:
            kube = open_kube()
            pods_of(kube, self.kubeflow.namespace, self.run)
        except Unseen as error:
            self._say(f"  pods cannot be seen from here ({error}): a pod that cannot start, and progress, are not told")
            return None
        return kube

    def _tell_steps(self, steps: list[Step]) -> None:
        """Steps that began or ended, by Kubeflow's word alone."""
        for step in steps:
            if self._states.get(step.task) == step.state:
                continue
            self._states[step.task] = step.state
            if step.state == "SUCCEEDED":
                self._event({"earmark": "done", "step": step.name, "seconds": step.seconds or 0.0, "reused": False})
            else:
                self._say(f"  {step.name}: {step.state.lower()}")

    def _tell_pods(self, kube: Kube) -> None:
        """What steps wrote, and what is wrong with pods."""
        namespace = self.kubeflow.namespace
        try:
            pods = pods_of(kube, namespace, self.run)
        except Unseen:
            return  # told by whoever asks Kubeflow, if it lasts
        found = [trouble for pod in pods for trouble in troubles(pod)]
        if time.monotonic() - self._looked > REFUSED_SECONDS:
            self._looked = time.monotonic()
            found += refused_of(kube, namespace, self.run)
        for trouble in found:
            # The reason alternates while an image is tried again; what is wrong stays the same.
            if all((t.step, t.remedy) != (trouble.step, trouble.remedy) for t in self.troubles):
                self.troubles.append(trouble)
                mark = "[yellow]![/]" if trouble.waits else "[red]✗[/]"
                self._say(f"{mark} {_plain(str(trouble))}", markup=True)
        for pod in pods:
            name, step, phase = pod["metadata"]["name"], step_of(pod), pod["status"].get("phase")
            if step is None or name in self._read:
                continue
            if phase == "Pending":
                self._tell_wait(kube, name, step)
            else:
                self._tell_log(kube, name, phase)

    def _tell_wait(self, kube: Kube, pod: str, step: str) -> None:
        """What a pod has waited for since it was first seen a while ago, each thing once."""
        since = self._pending.setdefault(pod, time.monotonic())
        if time.monotonic() - since > SLOW_SECONDS:
            self._pending[pod] = time.monotonic()
            told = waits_for(kube, self.kubeflow.namespace, pod)
            if told and (pod, told) not in self._waits:
                self._waits.add((pod, told))
                self._say(f"  {step}: {told}")

    def _tell_log(self, kube: Kube, pod: str, phase: str) -> None:
        reader = self._readers.setdefault(pod, Reader())
        for event in reader.read(kube.log(self.kubeflow.namespace, pod, LOG_LINES)):
            if event["earmark"] == "error":
                self.errors.append(event)
                self._say(f"[red]✗[/] {event['step']} failed: {_plain(event['message'])}", markup=True)
            elif event["earmark"] != "started" and not event.get("message", "").startswith(MARKS["ok"]):
                self._event(event)
        if phase not in ("Succeeded", "Failed"):
            return
        self._read.add(pod)
        if phase == "Failed" and not reader.failed and reader.tail:
            self._say(f"  the end of the log of {pod}:")
            for line in reader.tail[-TAIL_LINES:]:
                self._say(f"    {line}")

    def _event(self, event: dict[str, Any]) -> None:
        self._spoke = time.monotonic()
        self.terminal.event(event)

    def _say(self, text: str, markup: bool = False) -> None:
        self._spoke = time.monotonic()
        self.terminal.console.print(text, markup=markup)


def _plain(text: str) -> str:
    """Text as it is, brackets and all, between marks of colour."""
    from rich.markup import escape

    return escape(text)
