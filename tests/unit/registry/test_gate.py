"""The gate on real packages and real clips: what it scores, what it refuses, and that it decides once."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from made_run import LABELS, make_run, make_weights

from earmark.catalog.content import column
from earmark.config import FeatureSpec, make_config
from earmark.errors import UserError
from earmark.evaluation.report.gate import render_gate
from earmark.progress import Progress
from earmark.registry import Package, Sounds, gate, gate_model, history, list_models, promote, register_model
from earmark.registry.gate import compare
from earmark.registry.promotion import ChampionChanged
from earmark.store import CorruptObject, open_store
from earmark.store.tables import read_table, write_table
from earmark.tracking import connect

PROGRESS = Progress("gate_model", mode="off")
CONFIG = make_config("quick", {"evaluate": {"bootstrap_resamples": 100}, "data": {"max_rejected_share": 0.2}})


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("EARMARK_WORK", str(tmp_path))
    return open_store(tmp_path / "store")


def sounds_of(made):
    return Sounds(made.catalog, made.patches, made.dataset)


def gated(store, made, config=CONFIG):
    registered = register_model(store, *made.arguments, "birds", made.context, PROGRESS)
    return gate_model(store, registered, sounds_of(made), config, made.context, PROGRESS)


def aliases():
    return {model.version: model.aliases for model in list_models()}


def test_the_first_version_becomes_champion_and_done_again_nothing_changes(store, mlflow_db):
    made = make_run(store)
    first = gated(store, made)
    assert (first.facts["outcome"], first.facts["champion"], first.facts["stands"]) == ("first", None, 1)
    assert aliases() == {1: ("champion",)}
    again = gated(store, made)
    assert again == first
    assert again.reused
    [record] = history("birds")
    assert (record.by, record.decision) == ("compare-1", first.key)
    assert "Version 1 is the first champion of birds." in first.files["gate.html"].read(store).decode()


def test_a_decision_is_told_on_the_version_and_on_the_run(store, mlflow_db):
    gated(store, make_run(store))
    second = gated(store, make_run(store, run="compare-2", seed=1)).facts
    assert second["champion"] == 1
    assert second["holdout"]["clips"] == 3
    assert second["news"] == {"new": 0, "changed": 0, "removed": 0, "relabelled": 0}
    tags = connect().get_model_version("birds", "2").tags
    assert tags["gate.outcome"] == second["outcome"]
    assert tags["gate.why"] == second["why"]
    assert tags["gate.champion"] == "1"
    assert float(tags["gate.difference.value"]) == pytest.approx(
        second["scores"]["map"]["difference"]["value"], abs=1e-4
    )
    [run] = connect().search_runs(["1"], "tags.`earmark.run` = 'compare-2' and tags.`earmark.level` = 'pipeline'")
    assert run.data.tags["earmark.gate.outcome"] == second["outcome"]
    assert "gate.html" in [file.path for file in connect().list_artifacts(run.info.run_id)]
    assert (second["stands"] == 2) == (second["outcome"] == "promoted")
    assert aliases()[second["stands"]] == ("champion",)


def test_how_often_the_same_clips_have_judged_is_counted_once_a_version(store, mlflow_db):
    uses = []
    for number in range(4):
        made = make_run(store, run=f"compare-{number}", seed=number)
        gated(store, made)
        uses.append(gated(store, made).facts["holdout"]["uses"])
    assert uses == [0, 0, 1, 2]


def test_the_champions_own_weights_change_nothing(store, mlflow_db):
    gated(store, make_run(store))
    again = gated(store, make_run(store, run="compare-2"))
    assert (again.facts["outcome"], again.facts["stands"]) == ("unchanged", 1)
    assert len(history("birds")) == 1


@pytest.mark.parametrize("place", ["_record", "_write"])
def test_killed_after_its_promotion_it_tells_the_same_when_run_again(store, mlflow_db, monkeypatch, place):
    made = make_run(store)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(gate, place, killed)
    with pytest.raises(KeyboardInterrupt):
        gated(store, made)
    assert aliases() == {1: ("champion",)}
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_db)
    monkeypatch.setenv("EARMARK_WORK", str(Path(store.uri).parent))
    assert gated(store, made).facts["outcome"] == "first"
    assert len(history("birds")) == 1


def test_a_champion_that_changes_while_it_judges_makes_it_fail_and_name_the_winner(store, mlflow_db, monkeypatch):
    gated(store, make_run(store))
    made = make_run(store, run="compare-3", seed=2)

    def other_first(*_):
        register_model(store, *make_run(store, run="compare-2", seed=1).arguments, "birds", made.context, PROGRESS)
        promote("birds", 3, "quicker", "ann@desk")
        return {"holdout": {"uses": 0, "digest": ""}}, gate.Verdict("promoted", "better")

    monkeypatch.setattr(gate, "compare", other_first)
    with pytest.raises(ChampionChanged, match="meanwhile version 3 became champion"):
        gated(store, made)
    assert aliases()[3] == ("champion",)


def test_a_model_altered_after_registration_is_named_and_nothing_changes(store, mlflow_db):
    made = make_run(store)
    registered = register_model(store, *made.arguments, "birds", made.context, PROGRESS)
    [weights] = Path(store.uri).parent.rglob("mlartifacts/**/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CorruptObject, match="altered after registration"):
        gate_model(store, registered, sounds_of(made), CONFIG, made.context, PROGRESS)
    assert aliases() == {1: ("challenger",)}


def test_a_protected_label_that_the_data_does_not_have_is_named(store, mlflow_db):
    made = make_run(store)
    config = make_config("quick", {"gate": {"protected": ["sirene"]}})
    registered = register_model(store, *made.arguments, "birds", made.context, PROGRESS)
    with pytest.raises(UserError, match=r"gate.protected: 'sirene'; did you mean 'siren'\?"):
        gate_model(store, registered, sounds_of(made), config, made.context, PROGRESS)


@pytest.fixture
def made(store):
    return make_run(store)


def package(store, made, folder, version, seed=0, labels=LABELS, features=None, moved=()):
    """A package of fresh weights; clips whose id is in ``moved`` count as trained on."""
    from earmark.registry.clips import clips_of

    folder = folder / str(version)
    folder.mkdir()
    weights = make_weights("fully_connected", 0.02, len(labels), seed)
    (folder / "weights.safetensors").write_bytes(weights)
    table = read_table(clips_of(store, made.catalog, made.dataset))
    splits = [
        "train" if clip in moved else split
        for clip, split in zip(column(table, "clip_id"), column(table, "split"), strict=True)
    ]
    table = table.set_column(table.column_names.index("split"), "split", pa.array(splits, pa.string()))
    (folder / "clips.parquet").write_bytes(write_table(table))
    document = json.loads(made.checkpoints[0].files["model.json"].read(store))
    document |= {"labels": list(labels), "weights_sha256": f"{seed}", "clips_sha256": "made"}
    document["features"] = (features or FeatureSpec()).model_dump()
    return Package(folder, document, "birds", version)


def compared(store, made, tmp_path, **champion):
    pair = package(store, made, tmp_path, 2, seed=1), package(store, made, tmp_path, 1, **champion)
    return compare(store, *pair, sounds_of(made), CONFIG, PROGRESS)


def test_other_labels_are_scored_on_the_common_ones_and_said_so(store, made, tmp_path):
    facts, verdict = compared(store, made, tmp_path, labels=("dog", "wind", "rain", "bell"))
    assert [row["label"] for row in verdict.classes] == ["dog", "rain"]
    assert facts["labels"] == {"common": 2, "challenger_only": ["siren"], "champion_only": ["wind", "bell"]}
    page = render_gate(
        {
            **facts,
            "run": "r",
            "stands": 1,
            "promotion": None,
            "gate": CONFIG.gate.model_dump(),
            "classes": verdict.classes,
        }
    )
    assert "only the champion knows them: wind, bell" in page
    assert "only the challenger knows them: siren" in page


def test_no_label_in_common_is_refused_with_the_remedy(store, made, tmp_path):
    _, verdict = compared(store, made, tmp_path, labels=("wind", "bell"))
    assert verdict.outcome == "refused"
    assert "no label in common" in verdict.why
    assert "--model" in verdict.why


def test_clips_that_one_of_them_learned_from_do_not_judge(store, made, tmp_path):
    facts, _ = compared(store, made, tmp_path, moved=("dog-test.wav",))
    assert (facts["holdout"]["clips"], facts["holdout"]["seen"]) == (2, 1)


def test_without_a_clip_left_it_is_undecided(store, made, tmp_path):
    _, verdict = compared(store, made, tmp_path, moved=[f"{label}-test.wav" for label in LABELS])
    assert verdict.outcome == "undecided"
    assert "no test clip that neither learned from" in verdict.why


def test_a_champion_with_other_features_is_scored_with_its_own(store, made, tmp_path):
    facts, verdict = compared(store, made, tmp_path, features=FeatureSpec(storage="float32"))
    assert facts["holdout"]["clips"] == 3
    assert len(verdict.classes) == 3


def test_a_champion_that_does_not_tell_its_clips_is_left_to_people(store, made, tmp_path):
    old = package(store, made, tmp_path, 1)
    old = replace(old, document={**old.document, "clips_sha256": None})
    new = package(store, made, tmp_path, 2, seed=1)
    _, verdict = compare(store, new, old, sounds_of(made), CONFIG, PROGRESS)
    assert verdict.outcome == "undecided"
    assert "does not tell its clips" in verdict.why
    assert "earmark promote" in verdict.why


def test_two_networks_get_scores_in_the_same_order_as_clip_by_clip(store, made, tmp_path):
    facts, verdict = compared(store, made, tmp_path)
    swapped = compare(
        store,
        package(store, made, tmp_path, 3, seed=0),
        package(store, made, tmp_path, 4, seed=1),
        sounds_of(made),
        CONFIG,
        PROGRESS,
    )[1]
    assert verdict.scores["map"]["challenger"]["value"] == swapped.scores["map"]["champion"]["value"]
    assert facts["scores"]["map"]["difference"]["value"] == -swapped.scores["map"]["difference"]["value"]
