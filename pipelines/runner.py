"""Runs a pipeline's graph in this process's children: ``python -m earmark.pipelines.runner`` with a request on stdin.

A process of its own, so that whoever watches stays responsive and can end all of it at once. It ends when its standard
input does, since then whoever watched is gone.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import threading
import warnings
from pathlib import Path


def main() -> int:
    """Run the requested pipeline; 0 when it succeeded."""
    request = json.loads(sys.stdin.readline())
    if os.getpgrp() == os.getpid():
        threading.Thread(target=_end_with_watcher, daemon=True).start()
    warnings.filterwarnings("ignore", module=r"kfp\.")
    from kfp import local

    from earmark.pipelines.graphs import build

    artifacts = Path(request["artifacts"])
    shutil.rmtree(artifacts, ignore_errors=True)
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(artifacts), raise_on_error=True)
    logging.captureWarnings(True)
    try:
        build(request["pipeline"])(**request["arguments"])
    except RuntimeError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return 1
    finally:
        # The artifacts of a local run are pointers that the store's run records repeat.
        shutil.rmtree(artifacts, ignore_errors=True)
    return 0


def _end_with_watcher() -> None:
    """Wait for the end of standard input, which nobody writes to any more; then end this process and its children."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
