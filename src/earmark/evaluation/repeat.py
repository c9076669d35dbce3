"""The command that makes a comparison again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from earmark.config import Experiment, make_config, merge

OWN_OPTIONS = {
    "seed": "--seed",
    "train.steps": "--steps",
    "train.epochs": "--epochs",
    "train.minutes": "--minutes",
    "train.resume_from": "--resume-from",
}


TRANSFER_HOP_SECONDS = 0.96
"""How far windows are apart in ``earmark run transfer`` where nothing is said."""


def command(data: str, experiment: Experiment) -> str:
    """The command of an experiment's question with all that differs from the preset."""
    if experiment.question == "variants":
        return _study(data, experiment)
    if experiment.question == "transfer":
        return _transfer(data, experiment)
    base, first = experiment.base, experiment.variants[0]
    words = ["earmark", "run", experiment.question, "--data", data, "--preset", base.preset]
    if experiment.question == "labels":
        # The smallest set is what all are scored on; the command finds it itself.
        own = {"evaluate.labels"}
        words += ["--architecture", first.patch["architecture"]["name"], *_label_sets(experiment)]
    elif experiment.question == "data":
        own = set()
        words += ["--architecture", first.patch["architecture"]["name"], *_rungs(experiment)]
    else:
        own = set()
        words[2] = "compare"
        # Variants over folds and seeds are named after their network, too.
        networks = dict.fromkeys(variant.name.partition(".")[0] for variant in experiment.variants)
        words += ["--architectures", ",".join(networks)]
    wanted = base.model_dump()
    for variant in experiment.variants:
        options = variant.patch.get("architecture", {}).get("options", {})
        wanted = merge(wanted, {"architecture": {"options": options}})
    return shlex.join([*words, *_settings(wanted, base.preset, own)])


def _settings(
    wanted: Mapping[str, Any],
    preset: str,
    own: Collection[str] = (),
    options: Mapping[str, str] = OWN_OPTIONS,
) -> list[str]:
    """Options for what differs from the preset, but for the fields that the command sets itself."""
    words: list[str] = []
    plain = dict(_leaves(make_config(preset).model_dump()))
    for name, value in _leaves(wanted):
        if name in own:
            continue
        # An option that has nothing to say: another budget takes the place of the preset's.
        if (name in plain and plain[name] == value) or (name in OWN_OPTIONS and value is None):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        words += [options[name], text] if name in options else ["--set", f"{name}={text}"]
    return words


def _label_sets(experiment: Experiment) -> list[str]:
    """``--sizes`` and ``--bottleneck``, from the variants."""
    patches = [variant.patch for variant in experiment.variants]
    sizes = dict.fromkeys(patch["train"]["labels"] or "all" for patch in patches)
    return ["--sizes", ",".join(map(str, sizes)), "--bottleneck", str(patches[-1]["architecture"]["bottleneck"])]


def _rungs(experiment: Experiment) -> list[str]:
    """``--factor`` and ``--rungs``, from the variants."""
    factor = 1 / experiment.variants[1].patch["train"]["clip_share"]
    return ["--factor", f"{factor:.6g}", "--rungs", str(len(experiment.variants))]


def _transfer(data: str, experiment: Experiment) -> str:
    """``--from``, ``--methods``, ``--clips`` and ``--freeze``, from the base and the variants."""
    base = experiment.base
    parts = [variant.name.rpartition(".") for variant in experiment.variants]
    methods, sizes = (dict.fromkeys(part[at] for part in parts) for at in (0, 2))
    start = base.train.init_from
    words = ["earmark", "run", "transfer" if start else "probe", "--data", data, "--preset", base.preset]
    words += ["--methods", ",".join(methods), "--clips", ",".join(sizes)]
    own = {f"features.{name}" for name in type(base.features).model_fields}
    own |= {"architecture.name", "architecture.width", "architecture.bottleneck", "train.init_from"}
    if start:
        words += ["--from", start.removeprefix("models:/")]
    if "finetune" in methods:
        tuned = next(variant for variant in experiment.variants if variant.name.startswith("finetune."))
        words += ["--freeze", str(tuned.patch["train"]["freeze_stages"])]
    # What the command takes where nothing is said; the preset may say another.
    own |= {"evaluate.hop_seconds"} if base.evaluate.hop_seconds == TRANSFER_HOP_SECONDS else set()
    return shlex.join([*words, *_settings(base.model_dump(), base.preset, own)])


def _study(data: str, experiment: Experiment) -> str:
    """Commands that write the list of variants to a file (JSON is YAML, too) and run it."""
    base = experiment.base
    listed = json.dumps([variant.model_dump() for variant in experiment.variants], indent=1, ensure_ascii=False)
    words = ["earmark", "run", "study", "variants.yaml", "--data", data, "--preset", base.preset]
    words += _settings(base.model_dump(), base.preset, options={"seed": "--seed", "train.steps": "--steps"})
    return f"cat > variants.yaml <<'END'\n{listed}\nEND\n{shlex.join(words)}"


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
