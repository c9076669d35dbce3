"""The experiment that compares networks on one dataset, each with the options that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from earmark.architectures.options import OPTIONS, complete_options
from earmark.config import ARCHITECTURES, Experiment, compare_experiment, make_config, merge
from earmark.errors import UserError, unknown_name


def compare_request(preset: str, patch: Mapping[str, Any], architectures: Sequence[str]) -> Experiment:
    """The experiment of ``earmark run compare``; every variant is checked before anything runs.

    ``architecture.options`` go to the networks that have them.

    Args:
        preset: modern, quick or paper.
        patch: nested values over the preset.
        architectures: the networks, none for the paper's five.

    Raises:
        UserError: an unknown preset, network, key or option, or a value that cannot be.
    """
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
