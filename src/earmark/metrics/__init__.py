"""How good scores are, from arrays alone: AP, AUC, d-prime, 1-best accuracy, confusion, how sure they are, and
how far a score can be taken as a probability."""

from earmark.metrics.best import confusion, one_best_accuracy, recall
from earmark.metrics.calibration import Calibrated, Calibration, calibrate
from earmark.metrics.intervals import Interval, Intervals, bootstrap, interval, resample
from earmark.metrics.ranking import Scores, d_prime, score, score_blocks
from earmark.metrics.reliability import Bin, Reliability, reliability
from earmark.metrics.thresholds import Threshold, at_thresholds, choose_thresholds

__all__ = [
    "Bin",
    "Calibrated",
    "Calibration",
    "Interval",
    "Intervals",
    "Reliability",
    "Scores",
    "Threshold",
    "at_thresholds",
    "bootstrap",
    "calibrate",
    "choose_thresholds",
    "confusion",
    "d_prime",
    "interval",
    "one_best_accuracy",
    "recall",
    "reliability",
    "resample",
    "score",
    "score_blocks",
]
