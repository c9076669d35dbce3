"""The command that makes a comparison again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from earmark.config import Experiment, make_config, merge

OWN_OPTIONS = {
    "seed": "--seed",
    "train.steps": "--steps",
    "train.epochs": "--epochs",
    "train.minutes": "--minutes",
    "train.resume_from": "--resume-from",
}


def command(data: str, experiment: Experiment) -> str:
    """``earmark run compare`` with all that differs from the preset."""
    base = experiment.base
    words = ["earmark", "run", "compare", "--data", data, "--preset", base.preset]
    # Variants over folds and seeds are named after their network, too.
    networks = dict.fromkeys(variant.name.partition(".")[0] for variant in experiment.variants)
    words += ["--architectures", ",".join(networks)]
    wanted = base.model_dump()
    for variant in experiment.variants:
        options = variant.patch.get("architecture", {}).get("options", {})
        wanted = merge(wanted, {"architecture": {"options": options}})
    plain = dict(_leaves(make_config(base.preset).model_dump()))
    for name, value in _leaves(wanted):
        # An option that has nothing to say: another budget takes the place of the preset's.
        if (name in plain and plain[name] == value) or (name in OWN_OPTIONS and value is None):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        words += [OWN_OPTIONS[name], text] if name in OWN_OPTIONS else ["--set", f"{name}={text}"]
    return shlex.join(words)


def crossval_command(data: str, experiment: Experiment, folds: Sequence[str], seeds: Sequence[int]) -> str:
    """``earmark run compare`` over folds and seeds."""
    made = experiment.base.data.make_folds
    own = experiment.base.data.model_copy(update={"make_folds": None})
    plain = experiment.model_copy(update={"base": experiment.base.model_copy(update={"data": own})})
    words = ["--folds", str(made) if made else ",".join(folds)] if folds else []
    if not folds or list(seeds) != [experiment.base.seed]:
        words += ["--seeds", ",".join(map(str, seeds)) if len(seeds) > 1 else "1"]
    return f"{command(data, plain)} {shlex.join(words)}"


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
