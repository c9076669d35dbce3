"""A small data set of tones: a label a pitch, silence around each, splits given."""

import numpy as np
import pytest
import soundfile

RATE = 16_000
PITCHES = {"low": 400, "middle": 1_200, "high": 3_000}
SPLITS = ("train", "train", "validation", "test")


def tone(hertz, seed, seconds=1.5):
    rng = np.random.default_rng(seed)
    at = np.arange(round(seconds * RATE)) / RATE
    sound = 0.2 * np.sin(2 * np.pi * (hertz + 7 * seed) * at + rng.uniform(0, 6))
    return np.concatenate([np.zeros(RATE // 2), sound, np.zeros(RATE // 4)])


@pytest.fixture(scope="session")
def tones(tmp_path_factory):
    """Its folder: ``clips.csv``, four clips of each of three labels, and a licence."""
    root = tmp_path_factory.mktemp("tones")
    rows = ["file,label,split"]
    for number, (label, hertz) in enumerate(PITCHES.items()):
        for clip, split in enumerate(SPLITS):
            soundfile.write(root / f"{label}-{clip}.wav", tone(hertz, 10 * number + clip), RATE)
            rows.append(f"{label}-{clip}.wav,{label},{split}")
    (root / "clips.csv").write_text("\n".join(rows) + "\n")
    (root / "LICENSE").write_text("Made here.\n")
    return root
