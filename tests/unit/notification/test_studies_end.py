"""Studies end with the gate where a model is named, and with the record of their networks where none is."""

from dataclasses import replace

import pytest

from earmark.notification.outcome import outcome_of
from earmark.store.runs import record

from .conftest import Made


@pytest.mark.parametrize("pipeline", ["labels", "data", "study"])
def test_a_study_without_a_model_ends_with_the_record_of_its_networks(tmp_path, pipeline):
    made = Made(tmp_path, pipeline)
    record(made.store, replace(made.record, model=""))
    made.hand_on("compare_models", {"champion": "vgg"})
    assert "register_model was not reached" in outcome_of(made.store, made.run, said_failed=True).cause
    made.hand_on("register_model", {"champion": "vgg"})
    ended = outcome_of(made.store, made.run, said_failed=False)
    assert (ended.state, ended.result) == ("succeeded", "vgg is first by validation")


def test_a_study_with_a_model_ends_with_the_gate(tmp_path):
    made = Made(tmp_path, "data")
    made.hand_on("register_model", {"variant": "vgg"})
    assert "gate_model was not reached" in outcome_of(made.store, made.run, said_failed=True).cause
