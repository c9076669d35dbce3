"""The images as they are built here: each imports what it is for, as its own user, on a read-only root.

A build takes minutes and gigabytes, so this runs only when it is asked for: EARMARK_TEST_IMAGES=1, with the settings
of images/build. Images are read from the builder's own store.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILDER = os.environ.get("BUILDER") or next((b for b in ("podman", "buildah", "docker") if shutil.which(b)), "")
IMPORTS = {
    "steps": "import earmark, kfp, mlflow; from earmark.features import extract_features",
    "train": "import earmark, kfp, mlflow, torch, torchaudio; torch.ones(3).sum()",
    "mlflow": "import mlflow.server.auth, boto3, psycopg2",
}
SAYS = "import os, shutil; assert all(map(shutil.which, ('sh', 'mktemp', 'python3'))); print(os.getuid(), os.getgid())"
WRITES = "open('/opt/x', 'w')"

pytestmark = pytest.mark.skipif(
    os.environ.get("EARMARK_TEST_IMAGES") != "1" or not BUILDER,
    reason="builds three images, which takes minutes: EARMARK_TEST_IMAGES=1, and podman, buildah or docker",
)


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def python(image, code):
    """What Python code says in the image, with a read-only root and an empty /tmp."""
    if BUILDER != "buildah":
        return subprocess.run(
            [BUILDER, "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network=none", image, "python3", "-c", code],
            capture_output=True,
            text=True,
            check=False,
        )
    # buildah has no read-only root: its mounted file system, read-only in a mount namespace of its own.
    container = output("buildah", "from", "--pull-never", image).strip()
    try:
        root = output("buildah", "mount", container).strip()
        config = json.loads(output("buildah", "inspect", container))["OCIv1"]["config"]
        mounts = (
            'mkdir -p "$0/dev" && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
            'mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/tmp" && exec "$@"'
        )
        inside = ["chroot", f"--userspec={config['User']}", root, "/usr/bin/env", "-i", *config["Env"], "python3", "-c"]
        command = ["unshare", "--mount", "sh", "-c", mounts, root, *inside, code]
        return subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        output("buildah", "rm", container)


@pytest.fixture(scope="module", params=IMPORTS)
def image(request):
    told = {**os.environ, "REGISTRY": os.environ.get("REGISTRY", "localhost/earmark"), "BUILDER": BUILDER}
    done = subprocess.run(
        [ROOT / "images" / "build", request.param], env=told, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [pushed] = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith(f"  {BUILDER} push ")]
    return request.param, pushed


def test_it_imports_what_it_is_for_as_a_plain_user(image):
    name, built = image
    done = python(built, f"{IMPORTS[name]}\n{SAYS}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["10001", "10001"]


def test_its_root_is_read_only_there(image):
    assert "Read-only file system" in python(image[1], WRITES).stderr
