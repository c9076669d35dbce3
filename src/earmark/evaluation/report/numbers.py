"""Numbers as a reader wants them: as many digits as mean something."""

from __future__ import annotations

import math

from earmark.evaluation.report.data import Estimate

THIN = "\u202f"
NONE = "–"


def score(value: float | None, digits: int = 3) -> str:
    """A score such as AUC or mAP; ``∞`` and ``–`` where it is infinite or undefined."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}f}".replace("-", "−")


def percent(share: float | None, digits: int = 0) -> str:
    """A share in per cent."""
    return NONE if share is None or math.isnan(share) else f"{100 * share:.{digits}f}{THIN}%"


def metric(name: str, value: float | None) -> str:
    """A value of auc, map, ap (three digits), d_prime (two), accuracy or recall (per cent)."""
    if name in ("accuracy", "recall"):
        return percent(value)
    return score(value, 2 if name == "d_prime" else 3)


def interval(name: str, estimate: Estimate) -> str:
    """``low–high`` of an estimate, empty where it has none."""
    if estimate.low is None or estimate.high is None:
        return ""
    if name in ("accuracy", "recall"):
        return f"{100 * estimate.low:.0f}–{percent(estimate.high)}"
    dash = " to " if estimate.low < 0 else "–"
    return f"{score(estimate.low, 2)}{dash}{score(estimate.high, 2)}"


def compact(count: float) -> str:
    """Three significant digits and a suffix: 11.2M, 767M, 2.42B."""
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * size:
            value = count / size
            digits = max(0, 2 - math.floor(math.log10(max(value, 1))))
            text = f"{value:.{digits}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + suffix
    return f"{count:.0f}"


def whole(count: int) -> str:
    """Thousands set apart."""
    return f"{count:,}"


def cost(amount: float | None) -> str:
    """An amount of money, in whatever currency."""
    return NONE if amount is None else f"{amount:,.2f}"


def duration(seconds: float) -> str:
    """Seconds below two minutes, then minutes, then hours."""
    if seconds < 10:
        return f"{seconds:.1f}{THIN}s"
    if seconds < 120:
        return f"{seconds:.0f}{THIN}s"
    if seconds < 7200:
        return f"{seconds / 60:.0f}{THIN}min" if seconds >= 600 else f"{seconds / 60:.1f}{THIN}min"
    return f"{seconds / 3600:.0f}{THIN}h" if seconds >= 36000 else f"{seconds / 3600:.1f}{THIN}h"


def counted(count: int, noun: str) -> str:
    """``1 clip``, ``2 clips``, small numbers in words."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{words[count] if count < len(words) else whole(count)} {noun if count == 1 else plural}"


def shorten(text: str, length: int) -> str:
    """Text cut to a length."""
    return text if len(text) <= length else text[: length - 1].rstrip(" _-") + "…"
