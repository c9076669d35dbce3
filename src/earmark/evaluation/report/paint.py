"""A drawing as PNG, painted from its SVG: one definition of each figure, whatever the file.

It knows what ``svg`` makes and no more: groups that are moved, lines, paths of straight pieces, circles, rectangles,
texts, embedded pictures, and the style sheet's fill, stroke, opacity, dashes and fonts.
"""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from earmark.evaluation.report.style import FONTS, MARGIN, alone, style_of, variables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

SCALE = 3
"""Pixels to a unit: sharp in print and on dense screens."""
ANCHORS = {"start": "left", "middle": "center", "end": "right"}
_TAG = re.compile(r"\{.*\}")


def png(drawing: Markup) -> bytes:
    """The drawing in the colours of paper.

    Raises:
        KeyError: the drawing has an element that no painter knows.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    root = ElementTree.fromstring(alone(drawing))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    with rc_context({"font.family": _fonts()}):
        # 72 units to the inch: a unit is a point, for widths of lines and sizes of fonts too.
        figure = Figure(figsize=(width / 72, height / 72), dpi=72 * SCALE, facecolor=variables()["--paper"])
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(-MARGIN, width - MARGIN), ylim=(height - MARGIN, -MARGIN))
        _Painter(axes).paint(root, 0.0, 0.0)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


class _Painter:
    """Puts elements on axes whose units are the drawing's; what comes later lies above."""

    def __init__(self, axes: Axes) -> None:
        self._axes, self._layer = axes, 0
        self._paint = {
            "line": self._line,
            "path": self._path,
            "circle": self._circle,
            "rect": self._rect,
            "text": self._text,
            "image": self._image,
        }

    def paint(self, parent: ElementTree.Element, x: float, y: float) -> None:
        """All children of an element that was moved by (x, y)."""
        for element in parent:
            tag = _TAG.sub("", element.tag)
            classes = element.get("class", "").split()
            if tag in ("title", "style") or "ground" in classes:
                continue
            if tag == "g":
                dx, dy = (float(v) for v in re.findall(r"-?[\d.]+", element.attrib["transform"]))
                self.paint(element, x + dx, y + dy)
                continue
            self._layer += 1
            self._paint[tag](element, style_of(tag, classes), x, y)

    def _line(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        x1, y1, x2, y2 = (float(element.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
        self._stroke([x + x1, x + x2], [y + y1, y + y2], style)

    def _path(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        numbers = [float(v) for v in re.findall(r"-?[\d.]+", element.attrib["d"])]
        xs, ys = [x + v for v in numbers[::2]], [y + v for v in numbers[1::2]]
        if not element.attrib["d"].endswith("Z"):
            self._stroke(xs, ys, style)
            return
        from matplotlib.patches import Polygon

        self._fill(Polygon(list(zip(xs, ys, strict=True)), closed=True, **_filled(style, element)))

    def _circle(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.patches import Circle

        centre = x + float(element.attrib["cx"]), y + float(element.attrib["cy"])
        self._fill(Circle(centre, float(element.attrib["r"]), **_filled(style, element)))

    def _rect(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.patches import Rectangle

        corner = x + float(element.attrib["x"]), y + float(element.attrib["y"])
        size = float(element.attrib["width"]), float(element.attrib["height"])
        self._fill(Rectangle(corner, *size, **_filled(style, element)))

    def _text(self, element: ElementTree.Element, style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.patheffects import withStroke

        halo = style.get("paint-order") == "stroke"
        effects = [withStroke(linewidth=_size(style["stroke-width"]), foreground=style["stroke"])] if halo else None
        self._axes.text(
            x + float(element.attrib["x"]),
            y + float(element.attrib["y"]),
            # A dollar sign would begin a formula.
            (element.text or "").replace("$", r"\$"),
            color=style.get("fill", "black"),
            fontsize=_size(style.get("font-size", "11.5px")),
            fontweight="bold" if float(style.get("font-weight", "400")) >= 600 else "normal",
            ha=ANCHORS[element.get("text-anchor", "start")],
            va="baseline",
            zorder=self._layer,
            path_effects=effects,
        )

    def _image(self, element: ElementTree.Element, _style: dict[str, str], x: float, y: float) -> None:
        from matplotlib.image import imread

        left, top = x + float(element.attrib["x"]), y + float(element.attrib["y"])
        right, bottom = left + float(element.attrib["width"]), top + float(element.attrib["height"])
        pixels = imread(io.BytesIO(base64.b64decode(element.attrib["href"].partition(",")[2])))
        self._axes.imshow(pixels, extent=(left, right, bottom, top), aspect="auto", zorder=self._layer)

    def _stroke(self, xs: list[float], ys: list[float], style: dict[str, str]) -> None:
        if "stroke" not in style:
            return
        dashes = [float(v) for v in style.get("stroke-dasharray", "").split()]
        width = _size(style.get("stroke-width", "1"))
        self._axes.plot(
            xs,
            ys,
            color=style["stroke"],
            linewidth=width,
            alpha=float(style.get("opacity", "1")),
            # Dashes count in widths of the line.
            linestyle=(0, tuple(d / width for d in dashes)) if dashes else "-",
            solid_capstyle=style.get("stroke-linecap", "butt"),
            solid_joinstyle=style.get("stroke-linejoin", "miter"),
            zorder=self._layer,
            scalex=False,
            scaley=False,
        )

    def _fill(self, patch: Patch) -> None:
        patch.set_zorder(self._layer)
        self._axes.add_patch(patch)


def _filled(style: dict[str, str], element: ElementTree.Element) -> dict[str, Any]:
    return {
        "facecolor": style.get("fill", element.get("fill", "black")),
        "edgecolor": style.get("stroke", "none"),
        "linewidth": _size(style.get("stroke-width", "1")) if "stroke" in style else 0,
        "alpha": float(style.get("opacity", "1")),
    }


def _size(value: str) -> float:
    return float(value.removesuffix("px"))


def _fonts() -> list[str]:
    """Those of the style sheet that are here; matplotlib's own is wider than all of them, and always there."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    wanted = [name.strip().strip('"') for name in FONTS.split(",")]
    return [*(name for name in wanted if name in there), "DejaVu Sans"]
