"""How many processes train a network, from the command line to the environment of the steps."""

import pytest
from typer.testing import CliRunner

from earmark.pipelines import cli, commands


class ReachedTheRun(Exception):
    """Carries the environment that a run's children would get."""


@pytest.mark.parametrize(
    ("options", "in_environment", "expected"),
    [((), None, None), ((), "2", "2"), (("--processes", "3"), None, "3"), (("--processes", "3"), "2", "3")],
)
def test_the_option_wins_over_the_environment(tmp_path, monkeypatch, options, in_environment, expected):
    monkeypatch.delenv("EARMARK_PROCESSES", raising=False)
    if in_environment:
        monkeypatch.setenv("EARMARK_PROCESSES", in_environment)

    def reached(place, *rest):
        raise ReachedTheRun(place.environment().get("EARMARK_PROCESSES"))

    monkeypatch.setattr(commands, "run_pipeline", reached)
    command = ["run", "compare", "--data", "d", "--architectures", "alexnet", "--work", str(tmp_path), *options]
    found = CliRunner().invoke(cli.app, command)
    assert isinstance(found.exception, ReachedTheRun), found.output
    assert found.exception.args == (expected,)


def test_no_process_is_refused_by_the_option_itself(tmp_path):
    found = CliRunner().invoke(cli.app, ["run", "compare", "--data", "d", "--work", str(tmp_path), "--processes", "0"])
    assert found.exit_code == 2
    assert "--processes" in found.output
