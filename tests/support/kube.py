"""A Kubernetes cluster, asked by kubectl."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path


def _program():
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else shutil.which("kubectl")


def kubectl(*arguments, **more):
    """kubectl's standard output."""
    done = subprocess.run([_program(), *map(str, arguments)], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(kind, namespace, selector=""):
    """Objects of a kind, as kubectl tells them."""
    chosen = ["-l", selector] if selector else []
    return json.loads(kubectl("get", kind, "-n", namespace, *chosen, "-o", "json"))["items"]


def watched(kind, namespace, selector=""):
    """Every state of objects of a kind, from now on, as kubectl tells them; close the generator to end it."""
    chosen = ["-l", selector] if selector else []
    command = [_program(), "get", kind, "-n", namespace, *chosen, "--watch", "-o", "json", "--output-watch-events"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            event = json.loads(line)
            yield event["type"], event["object"]
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def following(namespace, pod):
    """Lines that a step's pod writes, as it writes them."""
    command = [_program(), "logs", "-n", namespace, pod, "-c", "main", "--follow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def forwarded(namespace, service, port):
    """A local port that leads to a Service."""
    command = [_program(), "port-forward", "-n", namespace, f"service/{service}", f":{port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield int(re.search(r":(\d+) ->", line).group(1))
    finally:
        process.terminate()
        process.communicate()
