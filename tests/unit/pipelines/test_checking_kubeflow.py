"""What `earmark check` makes of a cluster's retry policy."""

import pytest

from earmark.checking.lines import run_checks, written
from earmark.pipelines.checking_kubeflow import check_retries, judge_retries

# as Kubeflow Pipelines 2.17.0 ships it
SHIPPED = """
spec:
  ttlStrategy:
    secondsAfterCompletion: 3600
  templateDefaults:
    retryStrategy:
      limit: '2'
      retryPolicy: OnError
"""
FAILS = "spec: {templateDefaults: {retryStrategy: {limit: 3, retryPolicy: Always}}}"


@pytest.mark.parametrize(
    ("data", "mark", "said"),
    [
        (
            {"workflowDefaults": SHIPPED},
            "note",
            "a pod that is lost is run again, at most 2 times, a step that fails is not",
        ),
        (
            {"config": f"workflowDefaults:\n  {SHIPPED.replace(chr(10), chr(10) + '  ')}"},
            "note",
            "retry policy OnError",
        ),
        ({"workflowDefaults": FAILS}, "ok", "retry policy Always for all steps"),
        ({"workflowDefaults": "spec: {templateDefaults: {retryStrategy: {limit: 3}}}"}, "ok", "OnFailure"),
        ({"workflowDefaults": "spec: {ttlStrategy: {}}"}, "ok", "as often as its profile says"),
        ({}, "ok", "as often as its profile says"),
        ({"workflowDefaults": "spec: {"}, "note", "is no YAML"),
    ],
)
def test_a_retry_policy_is_told_in_words(data, mark, said):
    line = judge_retries(data)
    assert line.mark == mark
    assert said in written(line)


def test_a_policy_that_cannot_be_read_is_a_note(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    [line] = run_checks({"kubeflow": lambda: check_retries("kubeflow")})
    assert line.mark == "note"
    assert "the retry policy cannot be read" in line.what
    assert "let this user get ConfigMap workflow-controller-configmap of namespace kubeflow" in line.remedy
