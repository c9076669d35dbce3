"""A pickle that leaves a trace where it is loaded, and files that carry it."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from mlflow_database import migrated, mlflow_db  # noqa: F401


class Canary:
    """Unpickled, it makes a file."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return open, (self.place, "w")


@pytest.fixture
def canary(tmp_path):
    """The object; the test fails where anything has loaded it."""
    place = tmp_path / "canary"
    yield Canary(place)
    assert not place.exists(), "something was unpickled"


def zipped(members):
    """An uncompressed zip as bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def torch_file(value):
    """What ``torch.save`` writes, as bytes."""
    data = io.BytesIO()
    torch.save(value, data)
    return data.getvalue()


def npy(value):
    """An .npy of Python objects, as bytes."""
    data = io.BytesIO()
    np.save(data, np.array([value, None], dtype=object), allow_pickle=True)
    return data.getvalue()


def pickles(value):
    """Files that hold a pickle of a value, by the name that people give them."""
    plain = pickle.dumps(value)
    header = b'{"__metadata__":{"format":"pt"}}'
    return {
        "plain.pkl": plain,
        "model.joblib": plain,
        "weights.npy": npy(value),
        "objects.npz": zipped({name: npy(value) for name in ("vggish/conv1/weights.npy", "pca_eigen_vectors.npy")}),
        "members.npz": zipped(dict.fromkeys(("vggish/conv1/weights", "pca_eigen_vectors", "pca_means"), plain)),
        "weights.pt": torch_file({"weight": value}),
        "legacy.pth": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + plain,
        "behind.safetensors": len(header).to_bytes(8, "little") + header + plain,
        "renamed.safetensors": plain,
        "vggish_model.ckpt": plain,
    }


NAMES = tuple(pickles(None))
