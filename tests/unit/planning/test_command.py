import json

import pytest
from made_rates import RATES
from typer.testing import CliRunner

from earmark.pipelines.cli import app
from earmark.planning import write_rates

ASKED = ["plan", "--clips", "2080000", "--seconds", "10", "--labels", "527", "--steps", "1000", "--preset", "modern"]


@pytest.fixture
def ask(tmp_path):
    """The command's output with made-up rates."""
    write_rates(tmp_path / "rates.yaml", RATES)

    def asked(*more):
        answer = CliRunner().invoke(app, [*ASKED, "--rates", str(tmp_path / "rates.yaml"), *more])
        assert answer.exit_code == 0, answer.output
        return answer.output

    return asked


def test_a_row_a_step_and_a_sentence_on_what_takes_longest(ask):
    told = ask("--architectures", "alexnet,fully_connected", "--pods", "16")
    for step in ("build_catalog", "extract_part ×16", "train_model.alexnet", "gate_model", "in all"):
        assert step in told
    assert "cost" not in told
    assert "takes" in told
    assert "Rates: made up." in told


def test_costs_where_prices_are_given_and_gpus_as_stated(ask):
    told = json.loads(ask("--architectures", "resnet50", "--gpus", "2", "--price-gpu-hour", "3", "--json"))
    train = next(row for row in told["steps"] if row["step"] == "train_model")
    assert train["parts"]["steps"] == pytest.approx(1000 * 128 / (16_000 * 2 * 0.9), rel=1e-3)
    assert train["cost"] == pytest.approx(3 * 2 * train["seconds"] / 3600, rel=1e-3)
    assert told["cost"] == pytest.approx(sum(row["cost"] for row in told["steps"]), rel=1e-3)
    assert "stated, not measured" in told["rates"]["source"]
    assert told["seconds"] == pytest.approx(
        told["starting_seconds"] + sum(row["seconds"] for row in told["steps"]), rel=1e-3
    )
