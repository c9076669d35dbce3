"""How drawings look: the chart rules of the page's style sheet, for a drawing alone and for whoever paints it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from earmark.evaluation.report import svg

FONTS = '"Liberation Sans", Arial, Helvetica, "Noto Sans", system-ui, sans-serif'
MARGIN = 14
"""Around a drawing that stands alone."""
DARK = "@media (prefers-color-scheme: dark)"
_BLOCK = re.compile(r"\s*([^{}]+?)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_OPENING = re.compile(r'<svg viewBox="0 0 (?P<width>[\d.]+) (?P<height>[\d.]+)"(?P<more>[^>]*)>')
_OF_CHARTS = re.compile(r"\.chart [^ ]+|\.[na]\d")
# What XML 1.0 cannot hold, not even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Rule:
    """Properties of the elements that have the tag (any, where it is empty) and all the classes."""

    tag: str
    classes: frozenset[str]
    properties: Mapping[str, str]

    def fits(self, tag: str, classes: frozenset[str]) -> bool:
        """Whether an element is meant."""
        return self.tag in ("", tag) and self.classes <= classes


@cache
def variables(*, dark: bool = False) -> dict[str, str]:
    """The page's colours by their names, ``--ink`` and others."""
    found = _properties(next(body for name, body in _blocks(_sheet()) if name == ":root"))
    if dark:
        inner = next(body for name, body in _blocks(_sheet()) if name == DARK)
        found |= _properties(next(body for name, body in _blocks(inner) if name == ":root"))
    return {name: value for name, value in found.items() if name.startswith("--")}


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of charts, the weaker ones first, as a browser would let them win."""
    found = []
    for names, body in _blocks(_sheet()):
        properties = {k: v for k, v in _properties(body).items() if k != "background"}
        for name in (name.strip() for name in names.split(",")):
            if _OF_CHARTS.fullmatch(name):
                tag, *classes = name.removeprefix(".chart ").split(".")
                found.append(Rule(tag, frozenset(classes), properties))
    return tuple(sorted(found, key=lambda rule: (len(rule.classes), bool(rule.tag))))


def style_of(tag: str, classes: Iterable[str]) -> dict[str, str]:
    """The properties of an element, its colours resolved as on paper."""
    own, told = frozenset(classes), dict(variables())
    for rule in rules():
        if rule.fits(tag, own):
            told |= rule.properties
    return {name: _resolved(value, told) for name, value in told.items() if not name.startswith("--")}


def alone(drawing: Markup) -> bytes:
    """A drawing as an SVG file of its own: valid XML, with fonts and colours, light or dark as its reader prefers."""
    text = str(drawing)
    opening = _OPENING.match(text)
    assert opening is not None, "a drawing begins with its size"
    width, height = float(opening["width"]) + 2 * MARGIN, float(opening["height"]) + 2 * MARGIN
    size = f'width="{width:g}" height="{height:g}" viewBox="{-MARGIN} {-MARGIN} {width:g} {height:g}"'
    ground = svg.rect(-MARGIN, -MARGIN, width, height, "ground")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}{opening["more"]}>'
    body = f"{head}<style>{_alone()}</style>{ground}{text[opening.end() :]}"
    return _NO_XML.sub("\ufffd", f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n').encode()


@cache
def _alone() -> str:
    told = [f".chart {{ font-family: {FONTS}; }}", ".ground { fill: var(--paper); }"]
    for dark in (False, True):
        colours = ":root {" + " ".join(f"{name}: {value};" for name, value in _colours(dark=dark)) + "}"
        told.append(f"{DARK} {{ {colours} }}" if dark else f"{colours} svg {{ color-scheme: light dark; }}")
    for rule in rules():
        name = rule.tag + "".join(f".{each}" for each in sorted(rule.classes))
        told.append(f".chart {name} {{ {' '.join(f'{k}: {v};' for k, v in rule.properties.items())} }}")
    return "\n".join(told)


def _colours(*, dark: bool) -> list[tuple[str, str]]:
    return [(name, value) for name, value in variables(dark=dark).items() if value.startswith("#")]


def _resolved(value: str, told: Mapping[str, str]) -> str:
    while (name := re.fullmatch(r"var\((--[\w-]+)\)", value)) is not None:
        value = told[name[1]]
    return value


def _blocks(sheet: str) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in _BLOCK.finditer(sheet)]


def _properties(body: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in body.split(";") if ":" in part)
    return {name.strip(): value.strip() for name, _, value in pairs}


@cache
def _sheet() -> str:
    return files(__package__).joinpath("page.css").read_text(encoding="utf-8")
