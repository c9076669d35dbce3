"""An experiment is a base tree and a list of variants; it travels through a pipeline as one canonical JSON string."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from earmark.config.presets import ARCHITECTURES, OTHER_ARCHITECTURES, PER_ARCHITECTURE, PRESETS
from earmark.config.tree import BUDGETS, Config, Part
from earmark.errors import UserError, unknown_name

MAX_JSON_BYTES = 64 * 1024

T = TypeVar("T", bound=Part)


class Variant(Part):
    """A name and a patch to the base config."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """Names the variant in reports, MLflow and file names."""
    patch: dict[str, Any] = Field(default_factory=dict)
    """Nested values laid over the base tree."""


class Experiment(Part):
    """What a pipeline run is asked to do."""

    question: Literal["networks", "labels", "data", "transfer", "variants"] = "networks"
    """What the variants are compared for; the report's tables follow it."""
    base: Config
    variants: tuple[Variant, ...] = Field(min_length=1)

    def variant(self, name: str) -> Config:
        """The whole config of one variant."""
        by_name = {v.name: v for v in self.variants}
        if name not in by_name:
            raise unknown_name("variant", name, by_name)
        return parse_config(merge(self.base.model_dump(), by_name[name].patch))

    @property
    def one_dataset(self) -> bool:
        """Whether all variants see the data split in the same way."""
        return len({canonical_json(v.patch.get("data", {})) for v in self.variants}) == 1

    def to_json(self) -> str:
        """Canonical JSON (sorted keys, no spaces), at most 64 KiB: over 128 KB Kubeflow fails in silence."""
        text = canonical_json(self.model_dump())
        if len(text) > MAX_JSON_BYTES:
            raise UserError(f"the experiment is {len(text)} bytes of JSON, over {MAX_JSON_BYTES}: use fewer variants")
        return text

    @staticmethod
    def from_json(text: str) -> Experiment:
        """Read what :meth:`to_json` wrote."""
        return _validated(Experiment, json.loads(text))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """``patch`` laid over ``base``, recursively; lists and values replace, mappings merge.

    How long to train is one value with three names (``train.steps``, ``epochs``, ``minutes``): one replaces another.
    """
    merged = dict(base)
    if any(patch.get(name) is not None for name in BUDGETS):
        merged = {name: value for name, value in merged.items() if name not in BUDGETS}
    for key, value in patch.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def parse_config(values: Mapping[str, Any]) -> Config:
    """A validated tree from nested values.

    Raises:
        UserError: with the field and, for an unknown key, the nearest known one.
    """
    return _validated(Config, values)


def make_config(preset: str, patch: Mapping[str, Any] | None = None) -> Config:
    """The tree of a preset with a patch over it."""
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    return parse_config(merge(merge({"preset": preset}, PRESETS[preset]), patch or {}))


def compare_experiment(config: Config, architectures: Sequence[str] = ARCHITECTURES) -> Experiment:
    """The paper's Table 2: one variant an architecture, all else equal."""
    for name in architectures:
        if name not in (*ARCHITECTURES, *OTHER_ARCHITECTURES):
            raise unknown_name("architecture", name, (*ARCHITECTURES, *OTHER_ARCHITECTURES))
    if len(set(architectures)) != len(architectures):
        raise UserError("--architectures names a network twice")
    if not config.train.has_budget:
        raise UserError(
            f"preset {config.preset} does not say how long to train: give train.steps, train.epochs or train.minutes "
            "(--steps 5000)"
        )
    own = PER_ARCHITECTURE.get(config.preset, {})
    variants = [
        Variant(name=name, patch=merge(own.get(name, {}), {"architecture": {"name": name}})) for name in architectures
    ]
    return Experiment(base=config, variants=tuple(variants))


def _validated(kind: type[T], values: Any) -> T:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explain(kind, error) from None


def _explain(kind: type[Part], error: ValidationError) -> UserError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    field = ".".join(path)
    if first["type"] == "value_error":
        return UserError(f"config {first['ctx']['error']}")
    if first["type"] == "extra_forbidden":
        return unknown_name(f"config key in {'.'.join(path[:-1]) or 'the config'}:", path[-1], _keys(kind, path[:-1]))
    return UserError(f"config {field}: {first['msg'].lower()} (got {first['input']!r})")


def _keys(kind: type[Part], path: Sequence[str]) -> list[str]:
    here: Any = kind
    for part in path:
        field = here.model_fields.get(part) if hasattr(here, "model_fields") else None
        here = field.annotation if field else here
    return list(here.model_fields) if hasattr(here, "model_fields") else []
