"""Presets: named patches to the default tree, with the reason for what they set (figures in docs/RESULTS.md)."""

from __future__ import annotations

from typing import Any

# As published (the paper's sections on training and data). Steps must be given.
PAPER: dict[str, Any] = {
    "features": {"tail": "drop"},
    "train": {"batch_size": 128, "optimiser": "adam", "learning_rate": 1e-4, "schedule": "late_drop"},
}

# The best known for data from hundreds of clips up: what keeps a network from learning its few clips by heart.
MODERN: dict[str, Any] = {
    "architecture": {"dropout": 0.2},
    "augment": {
        "random_offset": True,
        "gain_db": 6.0,
        "equaliser_db": 6.0,
        "mix_alpha": 0.2,
        "time_masks": 1,
        "time_mask_frames": 24,
        "mel_masks": 1,
        "mel_mask_bands": 12,
    },
    "train": {
        "steps": 3000,
        "batch_size": 128,
        "optimiser": "adamw",
        # At full width; the narrower a network, the higher the rate that it bears.
        "learning_rate": 5e-4,
        "weight_decay": 0.05,
        "warmup_share": 0.1,
        "schedule": "cosine",
        "ema_share": 0.125,
        "loss": "auto",
        "prior_bias": True,
        "max_silent_share": 0.8,
        "validate_every_share": 0.1,
    },
    "evaluate": {"hop_seconds": 0.24, "max_silent_share": 0.8},
}

# Modern in small, minutes on a laptop's CPU.
QUICK: dict[str, Any] = {
    **MODERN,
    "architecture": {**MODERN["architecture"], "width": 0.25},
    "train": {**MODERN["train"], "steps": 200, "batch_size": 64, "learning_rate": 1e-3, "validate_every_share": 0.2},
}

PRESETS: dict[str, dict[str, Any]] = {"modern": MODERN, "quick": QUICK, "paper": PAPER}

ARCHITECTURES = ("fully_connected", "alexnet", "vgg", "inception_v3", "resnet50")
"""The paper's five, in its order: what is compared where nothing else is said."""
OTHER_ARCHITECTURES = ("vggish",)
"""Networks that are compared where they are named."""

# What a preset changes for one network: the paper gives a learning rate for the fully connected one alone; without
# batch norm, VGGish does not bear the others' (at three times these it stays at chance).
PER_ARCHITECTURE: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {"fully_connected": {"train": {"learning_rate": 3e-5}}},
    "modern": {"vggish": {"train": {"learning_rate": 1e-4}}},
    # The same weights at 13 % fewer multiplies: it is the slowest of the five on a CPU.
    "quick": {
        "inception_v3": {"architecture": {"options": {"stem": "pool_first"}}},
        "vggish": {"train": {"learning_rate": 3e-4}},
    },
}
