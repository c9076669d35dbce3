"""What a local run's watcher makes of its steps' events."""

import pytest

from earmark.pipelines.local import cause_of


def error(step, message):
    return {"earmark": "error", "step": step, "message": message, "exit_code": 1}


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ([error("train_model/vgg", "first try"), error("train_model/vgg", "second try")], "second try"),
        ([error("build_catalog", "no such folder"), error("finish_run", "no store")], "no such folder"),
        ([error("finish_run", "no store")], "no store"),
    ],
)
def test_the_cause_of_a_failure_is_a_steps_and_not_the_last_steps_complaint(told, cause):
    assert cause_of(told)["message"] == cause
