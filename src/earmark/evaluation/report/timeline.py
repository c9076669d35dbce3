"""Instantaneous outputs over a clip, under the log-mel image that the network heard (Figure 2 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from earmark.evaluation.report import numbers, svg
from earmark.evaluation.report.axes import x_axis, y_axis
from earmark.evaluation.report.data import Timeline

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT = 38, 330
IMAGE_TOP, IMAGE_BOTTOM = 4, 92
TOP, BOTTOM = 104, 220
STRIP = 5
"""Height of the bar that tells when a label is truly heard."""


def draw(timeline: Timeline) -> Markup:
    """Log-mel above, one line an output below, both over the same seconds; true times, where known, as bars between
    them and as a wash under the lines, in the hue of their label."""
    sound, names = timeline.sound, list(timeline.outputs)
    timed = [name for name in names if name in timeline.spans]
    top = TOP + (STRIP + 2) * len(timed)
    x = svg.linear(0, sound.seconds, LEFT, RIGHT)
    highest = max((max(scores, default=0.0) for scores in timeline.outputs.values()), default=0.0)
    y_places = svg.ticks(0, min(1.0, max(0.2, highest)), 2)
    y = svg.linear(0, y_places[-1], BOTTOM, top)
    whole = [v for v in svg.ticks(0, sound.seconds, 5) if v <= sound.seconds + 1e-9]
    parts = _image(timeline)
    for row, name in enumerate(timed):
        parts += _true(timeline, name, TOP + (STRIP + 2) * row - 4, top, x, svg.hue(names.index(name)))
    parts += y_axis(y_places, y, LEFT, RIGHT, lambda v: f"{v:g}")
    parts += x_axis(whole, x, BOTTOM, lambda v: f"{sound.start_s + v:g}")
    parts.append(svg.line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    parts.append(svg.text(RIGHT + 10, BOTTOM + 16, "seconds", "tick"))
    for i, name in reversed(list(enumerate(names))):
        points = [(x(t), y(v)) for t, v in zip(timeline.times_s, timeline.outputs[name], strict=True)]
        weight = "line" if name in timeline.truth else "line thin"
        parts.append(svg.path(points, f"{weight} {svg.hue(i)}", name))
    parts += _names(timeline, names, y, top)
    marked = f", which is {' and '.join(timeline.truth)}" if timeline.truth else ""
    told = f"Outputs over {sound.clip}{marked}: {', '.join(names)}"
    return svg.chart(WIDTH, HEIGHT, told, parts)


def _image(timeline: Timeline) -> list[Markup]:
    sound = timeline.sound
    if not sound.image:
        return [svg.text(LEFT, (IMAGE_TOP + IMAGE_BOTTOM) / 2, "its file is gone, or is another one now", "caption")]
    image = svg.tag(
        "image",
        href=sound.image,
        x=LEFT,
        y=IMAGE_TOP,
        width=RIGHT - LEFT,
        height=IMAGE_BOTTOM - IMAGE_TOP,
        preserveAspectRatio="none",
    )
    return [
        image,
        svg.text(LEFT - 6, IMAGE_TOP + 10, "7.5k", "tick", "end"),
        svg.text(LEFT - 6, IMAGE_BOTTOM - 1, "125 Hz", "tick", "end"),
    ]


def _true(timeline: Timeline, name: str, strip: float, top: float, x: svg.Scale, hue: str) -> list[Markup]:
    parts = []
    for start, end in timeline.spans[name]:
        told = f"{name} is truly heard from {start:.1f} to {end:.1f} s"
        parts.append(svg.rect(x(start), top, x(end) - x(start), BOTTOM - top, f"true {hue}", told))
        parts.append(svg.rect(x(start), strip, x(end) - x(start), STRIP, f"when {hue}", told))
    return parts


def _names(timeline: Timeline, names: Sequence[str], y: svg.Scale, top: float) -> list[Markup]:
    ends = [y(timeline.outputs[name][-1]) for name in names]
    places = svg.spread(ends, 15, top + 2, BOTTOM - 2)
    last = svg.linear(0, timeline.sound.seconds, LEFT, RIGHT)(timeline.times_s[-1])
    parts = []
    for i, (name, end, place) in enumerate(zip(names, ends, places, strict=True)):
        parts.append(svg.path([(last + 2, end), (RIGHT + 8, place)], f"leader {svg.hue(i)}"))
        strong = " strong" if name in timeline.truth else ""
        parts.append(svg.text(RIGHT + 11, place + 4, numbers.shorten(name, 15), f"end{strong} {svg.hue(i)}"))
    return parts
