"""How far a network's scores can be trusted: calibration fitted on validation clips, judged there and on test clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.config import CalibrationConfig
from earmark.metrics import Calibration, at_thresholds, calibrate, reliability


class Scored(NamedTuple):
    """Clips of one part, scored."""

    targets_NC: NDArray[np.float32]
    scores_NC: NDArray[np.float32]
    groups: Sequence[str]


def fit(
    validation: Scored, test: Scored, output: str, config: CalibrationConfig
) -> tuple[Calibration, dict[str, dict[str, Any]]]:
    """The calibration, and the reliability of both parts ``before`` and ``after`` it.

    On validation, ``after`` is cross-fitted: each clip's score comes from a fit without it.
    """
    calibration, crossfitted_NC = calibrate(
        validation.targets_NC,
        validation.scores_NC,
        output,
        groups=validation.groups,
        method=config.method,
        rule=config.threshold,
        precision=config.precision,
    )
    found = {
        "validation": {
            "before": reliability(validation.targets_NC, validation.scores_NC, output).to_json(),
            "after": reliability(validation.targets_NC, crossfitted_NC, output).to_json(),
        },
        "test": both(test.targets_NC, test.scores_NC, calibration),
    }
    return calibration, found


def both(targets_NC: NDArray[Any], scores_NC: NDArray[Any], calibration: Calibration) -> dict[str, Any]:
    """Reliability of clips that had no part in the fit, ``before`` and ``after``; each label at its ``thresholds``."""
    calibrated_NC = calibration.apply(scores_NC)
    return {
        "before": reliability(targets_NC, scores_NC, calibration.output).to_json(),
        "after": reliability(targets_NC, calibrated_NC, calibration.output).to_json(),
        "thresholds": at_thresholds(targets_NC, calibrated_NC, calibration.thresholds_C),
    }


def brief(calibration: Calibration, trust: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The method, and the errors of each part before and after, for a manifest's facts."""
    errors = {part: {when: found[when]["ece"] for when in ("before", "after")} for part, found in trust.items()}
    return {"method": calibration.method, **errors}
