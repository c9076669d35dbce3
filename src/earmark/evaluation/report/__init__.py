"""The report: one HTML file, rendered from plain data."""

from earmark.evaluation.report.data import (
    ClassScore,
    Estimate,
    Failure,
    Finding,
    Mistake,
    Network,
    Report,
    Sound,
    Timeline,
    Trust,
)
from earmark.evaluation.report.page import render_report

__all__ = [
    "ClassScore",
    "Estimate",
    "Failure",
    "Finding",
    "Mistake",
    "Network",
    "Report",
    "Sound",
    "Timeline",
    "Trust",
    "render_report",
]
