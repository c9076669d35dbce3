"""The images that the steps run in: one place for their names."""

from __future__ import annotations

import os

from earmark import __version__

STEPS_IMAGE = os.environ.get("EARMARK_STEPS_IMAGE", f"ghcr.io/earmark/steps:{__version__}")
TRAIN_IMAGE = os.environ.get("EARMARK_TRAIN_IMAGE", f"ghcr.io/earmark/train:{__version__}")
