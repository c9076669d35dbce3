"""How good scores are, from arrays alone: AP, AUC, d-prime, 1-best accuracy, confusion, and how sure they are."""

from earmark.metrics.best import confusion, one_best_accuracy, recall
from earmark.metrics.intervals import Interval, Intervals, bootstrap, interval, resample
from earmark.metrics.ranking import Scores, d_prime, score

__all__ = [
    "Interval",
    "Intervals",
    "Scores",
    "bootstrap",
    "confusion",
    "d_prime",
    "interval",
    "one_best_accuracy",
    "recall",
    "resample",
    "score",
]
