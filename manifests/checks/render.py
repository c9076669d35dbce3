"""Renders every overlay without a cluster: ``python manifests/checks/render.py FOLDER`` writes one file for each.

The overlays are rendered from a copy with secrets of its own, so that nobody's are needed or read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MANIFESTS = Path(__file__).resolve().parents[1]
OVERLAYS = ("overlays/local", "overlays/gpu", "overlays/external", "kubeflow")
COMPONENTS = ("object-store-minio",)
"""Components that no overlay has: each is rendered over the base."""


def render(folder: Path) -> str:
    """A kustomization, rendered by the environment's own kubectl.

    Raises:
        RuntimeError: with kubectl's words.
    """
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(f"{folder}: {done.stderr}")
    return done.stdout


def render_all(manifests: Path = MANIFESTS) -> dict[str, str]:
    """Every overlay, and every component that is in none, by its name."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "manifests"
        shutil.copytree(manifests, copy, ignore=shutil.ignore_patterns("secrets.yaml"))
        subprocess.run([sys.executable, str(copy / "secrets" / "generate.py")], check=True, capture_output=True)
        rendered = {Path(name).name: render(copy / name) for name in OVERLAYS}
        for name in COMPONENTS:
            over = copy / "overlays" / name
            over.mkdir()
            lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources: [../../base]"]
            (over / "kustomization.yaml").write_text("\n".join([*lines, f"components: [../../components/{name}]", ""]))
            rendered[name] = render(over)
    return rendered


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, text in render_all().items():
        (target / f"{name}.yaml").write_text(text)
