"""Config values as people give them: a YAML file, and assignments on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from earmark.config import ARCHITECTURES, Experiment, compare_experiment, make_config, merge
from earmark.errors import UserError, unknown_name


def read_yaml(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file.

    Raises:
        UserError: no such file, or not YAML, or not a mapping; with the line.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" in line {line + 1}" if line is not None else ""
        raise UserError(f"--config {path} is not YAML{where}: {getattr(error, 'problem', error)}") from None
    if values is not None and not isinstance(values, dict):
        raise UserError(f"--config {path} must hold keys and values, as in `train: {{steps: 600}}`")
    return values or {}


def assignment(text: str) -> dict[str, Any]:
    """``train.steps=600`` as nested values; the value is read as YAML.

    Raises:
        UserError: not of that form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError(f"--set {text!r}: write it as field=value, for example --set train.steps=600")
    try:
        nested: Any = yaml.safe_load(value)
    except yaml.YAMLError:
        nested = value
    for part in reversed(name.strip().split(".")):
        nested = {part: nested}
    return dict(nested)


def compare_request(preset: str, patch: Mapping[str, Any], architectures: Sequence[str]) -> Experiment:
    """The experiment of ``earmark run compare``; every variant is checked before anything runs.

    ``architecture.options`` go to the networks that have them.

    Raises:
        UserError: an unknown preset, network, key or option, or a value that cannot be.
    """
    from earmark.architectures import OPTIONS, complete_options

    names = architectures or ARCHITECTURES
    config = make_config(preset, patch)
    if config.train.resume_from is not None and len(names) > 1:
        raise UserError(
            "train.resume_from is the checkpoint of one network and several are asked for: name it (--architectures "
            "resnet50), or leave --resume-from out"
        )
    options = config.architecture.options
    experiment = compare_experiment(
        make_config(preset, {**patch, "architecture": {**patch.get("architecture", {}), "options": {}}}), names
    )
    known = {option for name in names for option in OPTIONS[name]}
    for option in options:
        if option not in known:
            raise unknown_name("architecture option", option, known)
    variants = []
    for variant in experiment.variants:
        own = {option: value for option, value in options.items() if option in OPTIONS[variant.name]}
        complete_options(variant.name, own)
        variants.append(variant.model_copy(update={"patch": merge(variant.patch, {"architecture": {"options": own}})}))
    checked = experiment.model_copy(update={"variants": tuple(variants)})
    for variant in checked.variants:
        checked.variant(variant.name)
    return checked
