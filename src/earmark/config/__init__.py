"""The experiment's frozen tree, presets and result keys."""

from earmark.config.experiment import (
    Experiment,
    Variant,
    canonical_json,
    compare_experiment,
    make_config,
    merge,
    parse_config,
)
from earmark.config.keys import digest, result_key
from earmark.config.presets import ARCHITECTURES, OTHER_ARCHITECTURES, PRESETS
from earmark.config.tree import (
    ArchitectureConfig,
    AugmentConfig,
    CalibrationConfig,
    Config,
    DataConfig,
    EvaluateConfig,
    FeatureSpec,
    GateConfig,
    HeadConfig,
    Part,
    TrainConfig,
)

__all__ = [
    "ARCHITECTURES",
    "OTHER_ARCHITECTURES",
    "PRESETS",
    "ArchitectureConfig",
    "AugmentConfig",
    "CalibrationConfig",
    "Config",
    "DataConfig",
    "EvaluateConfig",
    "Experiment",
    "FeatureSpec",
    "GateConfig",
    "HeadConfig",
    "Part",
    "TrainConfig",
    "Variant",
    "canonical_json",
    "compare_experiment",
    "digest",
    "make_config",
    "merge",
    "parse_config",
    "result_key",
]
