"""Every step of ``compare`` and ``retrain`` killed at random instants: the end is that of the undisturbed run."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from life import COMMAND, WAYS, Kill, Life, left_by

SMALL = ["--preset", "quick", "--steps", "12", "--set=architecture.width=0.05", "--set=train.batch_size=16"]
SMALL += [
    "--set=train.precision=fp32",
    "--set=train.checkpoint_every_seconds=0.1",
    "--set=evaluate.bootstrap_resamples=100",
]
PROMOTED = ("weights", "scores", "versions", "aliases", "logged models")
"""Of a retraining: killed after its promotion and started again it is the new champion's, with records of its own."""
NETWORKS = ["--architectures", "fully_connected,alexnet"]


def planned(seconds, each, draw):
    """So many kills of each step, at random instants, in the order of the steps; victims and signals take turns."""
    count = len(seconds) * each
    ways = [WAYS[i % len(WAYS)] for i in range(count)]
    draw.shuffle(ways)
    kills = [Kill(step, draw.random(), *ways.pop()) for step in seconds for _ in range(each)]
    for kill in kills:
        if kill.step == COMMAND:  # no step runs yet
            kill.victim, kill.how = draw.choice(WAYS[:4])
    return kills


def show(kill):
    how = f"{kill.hit:28} {kill.after:6.2f} s  {kill.victim:8} {kill.how.name:8} {kill.followed:18}"
    print(f"{how} {'; '.join(kill.faults) or 'good':10} {kill.said[:100]}", flush=True)


def live(life, expected, kills, seconds, kept):
    """One life with kills; those that fired, and what differs at its end of what is to be kept."""
    missed = life.disturbed(kills, seconds, show)
    found = left_by(life.work)
    differ = [what for what in kept or expected if found[what] != expected[what]]
    wrong = [f"{what} differ: {_difference(expected[what], found[what])}" for what in differ]
    fired = [kill for kill in kills if kill.hit]
    verdict = "; ".join(wrong) or "identical to the undisturbed run"
    print(f"{len(fired)} kills, {len(missed)} not reached; {verdict}", flush=True)
    return fired, wrong


def _difference(expected, found):
    if isinstance(expected, dict):
        expected, found = list(expected.items()), list(found.items())
    return f"missing {[e for e in expected if e not in found][:3]}, more {[f for f in found if f not in expected][:3]}"


def test_killed_anywhere_and_started_again_compare_and_retrain_end_as_if_undisturbed(
    request, long, first_clips, three_labels, tmp_path
):
    if not long:
        pytest.skip("the long form alone: --long")
    draw = random.Random(request.config.getoption("--kills-seed"))
    wanted = request.config.getoption("--kills")
    compare = Life(tmp_path, ["run", "compare", "--data", first_clips, *NETWORKS, *SMALL])
    seconds = compare.undisturbed()
    before = compare.work.rename(tmp_path / "before")
    retrain = Life(tmp_path, ["run", "retrain", "--data", three_labels, "--steps", "12", "--force"], before)
    told, all_wrong = [], []
    for name, life, kept in (("compare", compare, None), ("retrain", retrain, PROMOTED)):
        if name == "retrain":
            seconds = retrain.undisturbed()
        expected = left_by(before if name == "compare" else retrain.work)
        print(f"\n{name}: " + ", ".join(f"{step} {value:.1f} s" for step, value in seconds.items()), flush=True)
        fired, wrong = live(life, expected, planned(seconds, -(-wanted // 2 // len(seconds)), draw), seconds, kept)
        told += [{**vars(kill), "how": kill.how.name, "pipeline": name} for kill in fired]
        all_wrong += wrong
    faults = Counter(fault for kill in told for fault in kill["faults"])
    totals = {"kills": len(told), "starts": sum("ended" in kill["followed"] for kill in told), "faults": dict(faults)}
    totals |= {"different ends": all_wrong, "victims": dict(Counter(f"{k['victim']} {k['how']}" for k in told))}
    path = Path(request.config.getoption("--kills-json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"totals": totals, "kills": told}, indent=1))
    print(json.dumps(totals, indent=1), flush=True)
    assert not faults
    assert not all_wrong
