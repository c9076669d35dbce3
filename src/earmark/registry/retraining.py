"""Which experiment a champion's retraining is: its own network and config, with what was asked laid over them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field, ValidationError

from earmark.architectures import compare_request
from earmark.config import (
    Experiment,
    Part,
    Variant,
    canonical_json,
    compare_experiment,
    make_config,
    merge,
    parse_config,
)
from earmark.errors import UserError, unknown_name
from earmark.registry.package import Package

STARTS = ("scratch", "champion")


class Asked(Part):
    """What is asked of a retraining. The champion, whoever it is by then, gives the rest."""

    start: str = "scratch"
    """scratch (fresh weights) or champion (the champion's weights)."""
    preset: str | None = None
    """In place of the champion's config."""
    architectures: tuple[str, ...] = ()
    """In place of the champion's network."""
    patch: dict[str, Any] = Field(default_factory=dict)
    """Values over either."""

    def to_json(self) -> str:
        """Canonical JSON, a parameter of the pipeline."""
        return canonical_json(self.model_dump())

    @staticmethod
    def from_json(text: str) -> Asked:
        """Read what :meth:`to_json` wrote.

        Raises:
            UserError: it is something else.
        """
        try:
            return Asked.model_validate(json.loads(text))
        except (ValueError, ValidationError):
            raise UserError(f"asked is no request of a retraining: {text[:200]!r}; give what `Asked` holds") from None


def check_asked(asked: Asked) -> None:
    """Check what can be checked before the champion is known.

    Raises:
        UserError: an unknown start, preset, network, key or option, or a value that cannot be.
    """
    if asked.start not in STARTS:
        raise unknown_name("start in --from:", asked.start, STARTS)
    preset = asked.preset or "modern"
    if asked.architectures:
        compare_request(preset, asked.patch, asked.architectures)
    else:
        compare_experiment(make_config(preset, asked.patch))


def plan_retraining(champion: Package, asked: Asked) -> Experiment:
    """The experiment that trains the champion's successor: by default its own network and config.

    Args:
        champion: whose config is used, and where it is asked so whose weights.
        asked: what is to be otherwise.

    Raises:
        UserError: as :func:`check_asked`; weights of another network asked for.
    """
    check_asked(asked)
    patch = asked.patch
    own = parse_config(champion.document["config"])
    names = list(asked.architectures) or [own.architecture.name]
    if asked.start == "champion":
        if names != [own.architecture.name]:
            raise UserError(
                f"--from champion starts from the weights of {own.architecture.name}, not of {', '.join(names)}: leave "
                "--architectures out, or train --from scratch"
            )
        patch = merge(patch, {"train": {"init_from": f"models:/{champion.name}/{champion.version}"}})
    if asked.preset is not None:
        return compare_request(asked.preset, patch, names)
    # What the champion itself began with is no part of how to train its successor.
    plain = merge(own.model_dump(), {"train": {"init_from": None, "resume_from": None}})
    config = parse_config(merge(plain, patch))
    options = dict(config.architecture.options)
    bare = config.model_copy(update={"architecture": config.architecture.model_copy(update={"options": {}})})
    whole = compare_experiment(bare, names)
    name = own.architecture.name
    mine = Variant(name=name, patch={"architecture": {"name": name, "options": options}})
    variants = [mine if variant.name == name else variant for variant in whole.variants]
    checked = whole.model_copy(update={"variants": tuple(variants)})
    for variant in checked.variants:
        checked.variant(variant.name)
    return checked
