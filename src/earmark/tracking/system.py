"""How busy the machine is while a network trains: MLflow's own monitors, their figures delivered as all others are.

MLflow's own thread for them gives up at the first request that fails; these figures wait with the curves instead.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any

EVERY_SECONDS = 10.0
ENABLED = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"
INTERVAL = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"


class System:
    """CPU, memory, disk, network and GPUs, looked at every 10 s (or ``MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL``).

    On by default where MLflow is a server; ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING`` decides otherwise.
    """

    def __init__(self, uri: str) -> None:
        told = os.environ.get(ENABLED, "").lower()
        self._wanted = told in ("true", "1") or (not told and uri.startswith(("http://", "https://")))
        self._monitors: list[Any] | None = None
        self._every = float(os.environ.get(INTERVAL) or EVERY_SECONDS)
        self._next = 0.0

    def figures(self) -> dict[str, float]:
        """What there is to tell now, by name; empty until the next look is due."""
        if not self._wanted or time.monotonic() < self._next:
            return {}
        self._next = time.monotonic() + self._every
        try:
            if self._monitors is None:
                self._monitors = _monitors()
                return {}
            return dict(_look(self._monitors))
        except Exception:  # a machine that cannot be looked at trains as well
            self._wanted = False
            return {}


def _look(monitors: list[Any]) -> dict[str, float]:
    told: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        told |= monitor.aggregate_metrics()
        monitor.clear_metrics()
    return told


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics import cpu_monitor, disk_monitor, gpu_monitor, network_monitor

    kinds: list[Any] = [cpu_monitor.CPUMonitor, disk_monitor.DiskMonitor, network_monitor.NetworkMonitor]
    monitors = [kind() for kind in kinds]
    gpus: Any = gpu_monitor.GPUMonitor
    with suppress(Exception):  # no GPU, or nothing that can ask it
        monitors.append(gpus())
    return monitors
