"""Promotions by many processes at once: every step has one winner, everybody else is told who, and nothing is lost."""

import json
import subprocess
import sys
import uuid
from itertools import pairwise

import pytest
from mlflow_database import migrated, mlflow_db  # noqa: F401

from earmark.registry.promotion import champion_of, history, promote
from earmark.registry.versions import create_version, find_version
from earmark.tracking import connect
from earmark.tracking.runs import experiment

PROCESSES, THREADS = 4, 3
CALLER = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from earmark.registry.promotion import ChampionChanged, champion_of, promote
from earmark.registry.versions import create_version
from earmark.tracking import connect

name, model_id, run_id, process, threads = sys.argv[1:]

def call(thread):
    # two processes each register the same key, as a retried step does while the first try is still alive
    key = f"key-{int(process) // 2}-{thread}"
    made = create_version(connect(), name, key, model_id=model_id, run_id=run_id, tags={}, card="")
    caller = f"{process}-{thread}"
    try:
        record = promote(name, int(made.version), "first round", caller, replaces=1)
        # a version that is champion already, by a second round, stays it: no error, and no win of the first
        won = record.why == "first round"
        return {"caller": caller, "version": int(made.version), "won": won, "told": "meanwhile version"}
    except ChampionChanged as lost:
        told = str(lost)
    while thread == 0:
        try:
            promote(name, int(made.version), "again", caller, replaces=champion_of(name))
            break
        except ChampionChanged:
            continue
    return {"caller": caller, "version": int(made.version), "won": False, "told": told}

connect()
sys.stdin.readline()
with ThreadPoolExecutor(int(threads)) as pool:
    print(json.dumps(list(pool.map(call, range(int(threads))))))
"""


@pytest.fixture(params=["mlflow_db", "mlflow_stack"])
def model(request):
    """A registered model with a champion, on SQLite and on a server: its name and what versions need."""
    request.getfixturevalue(request.param)
    client, name = connect(), f"birds-{uuid.uuid4().hex[:8]}"
    place = experiment(client, "earmark")
    run_id = client.create_run(place).info.run_id
    model_id = client.create_logged_model(place, name="network", source_run_id=run_id).model_id
    create_version(client, name, "the first", model_id=model_id, run_id=run_id, tags={}, card="")
    promote(name, 1, "the first", "setup")
    return name, model_id, run_id


def test_twelve_calls_at_once_leave_one_version_a_key_and_one_winner_a_step(model):
    name, model_id, run_id = model
    command = [sys.executable, "-c", CALLER, name, model_id, run_id]
    callers = [
        subprocess.Popen(
            [*command, str(number), str(THREADS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(PROCESSES)
    ]
    for caller in callers:
        caller.stdin.write("go\n")
        caller.stdin.flush()
    outputs = [caller.communicate()[0] for caller in callers]
    assert [caller.returncode for caller in callers] == [0] * PROCESSES
    calls = [call for output in outputs for call in json.loads(output.splitlines()[-1])]

    # one version a key, the same for both who asked for it, and no other left
    client = connect()
    keys = [f"key-{pair}-{thread}" for pair in range(PROCESSES // 2) for thread in range(THREADS)]
    versions = {key: int(find_version(client, name, key).version) for key in keys}
    there = {int(version.version) for version in client.search_model_versions(f"name = '{name}'")}
    assert there == {1, *versions.values()}
    assert {call["version"] for call in calls} == set(versions.values())

    # promotions are a chain: each replaces the one before, and the alias names the last
    records = history(name)[::-1]
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    for before, after in pairwise(records):
        assert after.replaced == before.version
    assert champion_of(name) == records[-1].version

    # of those who meant to replace the first, one did (the other who asked for the same version shares its success)
    first_round = [record for record in records if record.why == "first round"]
    assert len(first_round) == 1
    assert {call["version"] for call in calls if call["won"]} == {first_round[0].version}
    for call in calls:
        assert call["won"] or "meanwhile version" in call["told"]
    # whoever tried again got through
    promoted = {record.version for record in records}
    assert {call["version"] for call in calls if call["caller"].endswith("-0")} <= promoted
