"""The images that the steps run in where a cluster's file names no others; a laptop's runs use none."""

from __future__ import annotations

from earmark import __version__

STEPS_IMAGE = f"ghcr.io/earmark/steps:{__version__}"
TRAIN_IMAGE = f"ghcr.io/earmark/train:{__version__}"
