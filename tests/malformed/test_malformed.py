"""A few hundred malformed sounds through the product, in a process of their own; thousands by ``make test-faults``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.malformed.mutate import FORMATS
from tests.malformed.parsers import mutated, seeds, told

REPOSITORY = Path(__file__).parents[2]
COUNT = 300
LEVELS = [b"a%d: &a%d [%s*a%d]\n" % (n, n, b"*a%d, " % (n - 1) * 8, n - 1) for n in range(1, 10)]
ALIASES = b"a0: &a0 [x]\n" + b"".join(LEVELS)
"""Ten lines that are a billion."""


def test_malformed_sounds_cost_no_more_than_themselves(tmp_path):
    arguments = ["--count", str(COUNT), "--seed", "7", "--json", str(tmp_path / "found.json")]
    run = subprocess.run(
        [sys.executable, "-m", "tests.malformed", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["files"], found["wrong"]) == (COUNT, [])
    assert found["largest_process_mib"] < 1024
    outcomes = {outcome for _, _, outcome, _ in found["outcomes"]}
    assert {"accepted", "cannot be decoded", "empty"} <= outcomes
    assert {form for form, _, _, _ in found["outcomes"]} == set(FORMATS)


@pytest.mark.parametrize("parser", seeds(), ids=lambda parser: parser.__name__)
def test_what_a_parser_is_given_it_takes_or_refuses_in_a_line(parser, tmp_path_factory):
    folder = tmp_path_factory.mktemp(parser.__name__)
    inputs = st.binary(max_size=300) | st.builds(mutated, st.sampled_from(seeds()[parser]), st.randoms())

    @settings(max_examples=40)
    @given(inputs)
    def tried(data):
        told(parser, data, folder)

    tried()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("ontology", b"[" * 100_000, "cannot be read as JSON"),
        ("ontology", b"9" * 5000, "cannot be read as JSON"),
        ("config", b"\xff\xfe", "not text in UTF-8"),
        ("config", b"a: 2001-99-99", "cannot be read as YAML"),
        ("config", b"[" * 1000, "cannot be read as YAML"),
        ("config", b"? [a, b]\n: c", "a field's name must be text"),
        ("config", ALIASES, "more than 100000 fields"),
        ("package", b"[1]", "holds no names and values"),
        ("example", b"\xff" * 1_000_000, "no clip with audio_embedding"),
    ],
)
def test_what_parsers_stumbled_over(name, data, message, tmp_path):
    [parser] = [parser for parser in seeds() if parser.__name__ == name]
    assert message in (told(parser, data, tmp_path) or "")
