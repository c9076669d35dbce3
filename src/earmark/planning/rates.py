"""How fast a machine does what a run is made of, each rate with its unit and all with where they are from.

Measured by :mod:`earmark.planning.probe`, or written by hand: a YAML file of these fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError

from earmark.config import Part
from earmark.errors import UserError, unknown_name

Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

Step = Literal[
    "build_catalog",
    "extract_part",
    "extract_features",
    "assemble_dataset",
    "train_model",
    "evaluate_model",
    "compare_models",
    "register_model",
    "gate_model",
]
STEPS: tuple[Step, ...] = get_args(Step)
"""The steps of ``compare`` whose time is counted, in their order."""


class NetworkRates(Part):
    """One network, on all cores of the machine or on one GPU; patches a second."""

    train: Rate
    """Of training steps, all that a step does."""
    predict: Rate
    """Of the validation part, in training's precision."""
    score: Rate
    """Of evaluation, clip by clip in float32."""


class Rates(Part):
    """One machine."""

    source: str
    """Where they are from: measured on which machine, or stated by whom."""
    cores: int = Field(ge=1)
    """Cores of the machine: networks' rates on a CPU are of all of them."""
    gpu: str = ""
    """The GPU that networks' rates are of; "" where they are of the cores."""
    width: Rate
    """Width of the networks that were measured."""
    batch_size: int = Field(ge=1)
    """Patches in the measured training steps."""
    start_seconds: Seconds
    """Until a step's process is there; on a cluster until its pod is."""
    step_seconds: dict[Step, Seconds]
    """What each step takes of anything: imports, connections, drawing; nothing where it is not named."""
    catalog_clips_per_second: Rate
    """Clips listed, hashed and their headers read."""
    extract_x_real_time: Rate
    """Seconds of sound decoded and made frames in a second of one core."""
    extract_clips_per_second: Rate
    """The same of clips that have no length: what each costs beside its sound, on one core."""
    encoded_bytes_per_second: Rate
    """Bytes of files in a second of sound."""
    sounding_share: float = Field(default=1.0, gt=0.0, le=1.0)
    """Of a clip's patches, those that are scored: not those of digital silence."""
    join_clips_per_second: Rate
    """Clips whose parts are joined by ``extract_features``."""
    assemble_clips_per_second: Rate
    """Clips judged and split."""
    open_clips_per_second: Rate
    """Clips of a dataset read by training and evaluation."""
    scan_bytes_per_second: Rate
    """Stored frames searched for silence and patches counted."""
    hash_bytes_per_second: Rate
    """sha256 of shards."""
    store_bytes_per_second: Rate
    """To and from the store, one pod."""
    bootstrap_draws_per_second: Rate
    """Resamples × clips × labels of the intervals."""
    metrics_scores_per_second: Rate
    """Clips × labels of all other metrics, calibration and thresholds."""
    networks: dict[str, NetworkRates] = Field(min_length=1)

    def network(self, name: str) -> NetworkRates:
        """One network's rates.

        Raises:
            UserError: they are not among these.
        """
        if name not in self.networks:
            raise UserError(
                f"the rates ({self.source}) have no networks.{name}: measure them (leave --rates out), or add its "
                "train, predict and score in patches a second"
            )
        return self.networks[name]


def read_rates(path: Path) -> Rates:
    """Rates of a YAML or JSON file.

    Raises:
        UserError: no such file, no YAML, or a field that is missing, unknown or cannot be; with the remedy.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--rates {path}: {error.strerror}; write one with --save-rates {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(f"--rates {path} is not YAML: write a new one with --save-rates, and edit its values") from None
    try:
        return Rates.model_validate(values)
    except ValidationError as error:
        raise _explained(path, error) from None


def write_rates(path: Path, rates: Rates) -> None:
    """Rates as YAML that :func:`read_rates` takes, to be edited.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        path.write_text(yaml.safe_dump(rounded(rates.model_dump()), sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--save-rates {path}: {error.strerror}; choose another file") from None


def rounded(value: Any) -> Any:
    """Floats to four digits: more is not measured."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _explained(path: Path, error: ValidationError) -> UserError:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        of = NetworkRates if len(first["loc"]) > 1 else Rates
        return unknown_name(f"field in --rates {path}:", str(first["loc"][-1]), of.model_fields)
    if first["type"] == "missing":
        return UserError(f"--rates {path}: {field} is missing; take it from a file that --save-rates writes")
    return UserError(f"--rates {path}: {field}: {first['msg'].lower()} (got {first['input']!r})")
