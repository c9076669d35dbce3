"""Each network's own options, and the check of a name and its options that needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from earmark.errors import UserError, unknown_name

OptionValue = str | int | float | bool


@dataclass(frozen=True)
class Option:
    """One option of one network: a choice among words, or a positive whole number where ``choices`` is empty."""

    default: str | int
    choices: tuple[str, ...]
    text: str
    most: int | None = None
    """The largest number it can be."""


OPTIONS: dict[str, dict[str, Option]] = {
    "fully_connected": {
        "depth": Option(3, (), "hidden layers; the paper tried 2 to 6"),
        "units": Option(1000, (), "units of a hidden layer at width 1; the paper tried 500 to 4000"),
        "context_frames": Option(
            96, (), "how many frames in the middle of a patch it sees; 20 is the paper's model on patches of 200 ms", 96
        ),
    },
    "alexnet": {
        "final_pool": Option(
            "2x2",
            ("2x2", "3x3"),
            "2x2: the last map becomes 2 × 2, the only size that gives the paper's 37.3 M weights; "
            "3x3: the usual 3 × 3 window with stride 2, 54.1 M weights",
        ),
    },
    "vgg": {},
    "inception_v3": {
        "stem": Option(
            "text",
            ("text", "pool_first"),
            "text: the first four layers removed, as the paper's text says (5.44 G multiplies); "
            "pool_first: the pooling kept first, the paper's 4.7 G multiplies",
        ),
    },
    "resnet50": {
        "version": Option(
            "v1",
            ("v1", "v1.5"),
            "v1: a stage's stride on its first 1 × 1 convolution, the paper's 1.9 G multiplies; v1.5: on the 3 × 3",
        ),
    },
    "vggish": {},
}


def complete_options(name: str, options: Mapping[str, OptionValue]) -> dict[str, str | int]:
    """All options of a network, the given ones over the defaults.

    Raises:
        UserError: for an unknown network, option or value, naming the nearest known one.
    """
    if name not in OPTIONS:
        raise unknown_name("architecture", name, OPTIONS)
    complete: dict[str, str | int] = {key: option.default for key, option in OPTIONS[name].items()}
    for key, value in options.items():
        if not OPTIONS[name]:
            raise UserError(f"{name} has no options (got {key!r}): leave architecture.options empty")
        if key not in OPTIONS[name]:
            raise unknown_name(f"option of {name}", key, OPTIONS[name])
        complete[key] = _checked(name, key, value)
    return complete


def _checked(name: str, key: str, value: OptionValue) -> str | int:
    choices, most = OPTIONS[name][key].choices, OPTIONS[name][key].most
    if choices:
        if value not in choices:
            raise unknown_name(f"{key} of {name}", str(value), choices)
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
        range_ = "of at least 1" if most is None else f"from 1 to {most}"
        raise UserError(f"{key} of {name} must be a whole number {range_} (got {value!r})")
    return value
