"""A file of variants: names and what each changes; what is wrong with it is told with its line before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from earmark.architectures.options import complete_options
from earmark.config import Config, Experiment, Variant, merge
from earmark.config.presets import PER_ARCHITECTURE, PRESETS
from earmark.errors import UserError, unknown_name
from earmark.pipelines.marked_yaml import Marked, Place, read_marked, validate

SHARED = ("data", "features", "preset")
"""Parts of the config that all variants have in common, since they see one dataset."""


class Part(BaseModel):
    """A part of the file: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Listed(Part):
    """A variant."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
    """Small letters, digits, ``.``, ``_`` and ``-``."""
    patch: dict[str, Any] = Field(default_factory=dict)
    """Nested config values over the base."""


class Study(Part):
    """The file; a list alone is its variants."""

    preset: str | None = None
    """modern, quick or paper; modern where neither file nor command says."""
    base: dict[str, Any] = Field(default_factory=dict)
    """Nested config values of all variants, over the preset."""
    variants: Annotated[tuple[Listed, ...], Field(min_length=1)]
    """What is compared, in the order of the report."""


def study_request(path: Path, preset: str | None, patch: Mapping[str, Any]) -> Experiment:
    """The experiment of a file of variants; each is checked.

    Args:
        path: the file.
        preset: in place of the file's.
        patch: nested values over the file's base; a variant's own are over these.

    Raises:
        UserError: what is wrong, with file, line and field.
    """
    marked = read_marked(path)
    listed = isinstance(marked.values, list)
    found = validate(
        Study,
        marked,
        {"variants": marked.values} if listed else marked.values,
        lambda place: place[1:] if listed else place,
    )
    name = preset or found.preset or "modern"
    if name not in PRESETS:
        unknown = unknown_name("preset", name, PRESETS)
        raise unknown if preset else marked.error(("preset",), str(unknown))
    start = merge(merge({"preset": name}, PRESETS[name]), merge(found.base, patch))
    base = validate(Config, marked, start, lambda place: ("base", *place))
    root: Place = () if listed else ("variants",)
    seen: dict[str, int] = {}
    variants = []
    for number, variant in enumerate(found.variants):
        place = (*root, str(number))
        if variant.name in seen:
            raise marked.error((*place, "name"), f"{variant.name} is the name of variant {seen[variant.name]}, too")
        seen[variant.name] = number + 1
        variants.append(Variant(name=variant.name, patch=_checked(marked, place, name, base, variant.patch)))
    return Experiment(question="variants", base=base, variants=tuple(variants))


def _checked(marked: Marked, place: Place, preset: str, base: Config, patch: Mapping[str, Any]) -> dict[str, Any]:
    """A variant's patch over what the preset changes for its network, as far as the config takes it."""
    for part in SHARED:
        if part in patch:
            raise marked.error((*place, "patch", part), "is the same for all variants of a study: put it into base")
    start = base.model_dump()
    whole = validate(Config, marked, merge(start, patch), lambda field: _origin(marked, place, field))
    network = whole.architecture.name
    own = merge(PER_ARCHITECTURE.get(preset, {}).get(network, {}), patch)
    config = validate(Config, marked, merge(start, own), lambda field: _origin(marked, place, field))
    try:
        complete_options(network, config.architecture.options)
    except UserError as error:
        raise marked.error(_origin(marked, place, ("architecture", "options")), str(error)) from None
    if not config.train.has_budget:
        raise marked.error(
            place,
            f"nothing says how long to train (preset {preset} does not): give --steps, or train.steps under base",
        )
    return own


def _origin(marked: Marked, place: Place, field: Place) -> Place:
    """Where in the file a field of a variant's config comes from: its own patch, else the base."""
    own, shared = (*place, "patch", *field), ("base", *field)
    return shared if own not in marked.lines and shared in marked.lines else own
