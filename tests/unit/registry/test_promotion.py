"""Promotions on MLflow's own SQLite: recorded, in order, one winner, mended when killed."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from earmark.errors import UserError
from earmark.registry import promotion
from earmark.registry.promotion import ChampionChanged, champion_of, champions, history, promote, rollback
from earmark.tracking import connect


@pytest.fixture
def model(mlflow_db, monkeypatch):
    """A registered model with versions 1 to 4 and no champion."""
    monkeypatch.setattr(promotion, "OUTSIDE_FOR_SECONDS", 0.2)
    client = connect()
    client.create_registered_model("birds")
    for _ in range(4):
        client.create_model_version("birds", "file:///nowhere")
    return client


def told(name="birds"):
    return [(p.number, p.replaced, p.version, p.rollback) for p in history(name)]


def test_every_promotion_is_recorded_with_who_when_from_to_and_why(model):
    promote("birds", 1, "first", "compare-1")
    promote("birds", 2, "  better by\n0.1 ", "ann@desk", decision="abc", replaces=1)
    assert champion_of("birds") == 2
    second, first = history("birds")
    assert (first.number, first.replaced, first.version, first.by, first.why) == (1, None, 1, "compare-1", "first")
    assert (second.number, second.replaced, second.version, second.decision) == (2, 1, 2, "abc")
    assert (second.by, second.why) == ("ann@desk", "better by 0.1")
    assert first.at <= second.at
    version = model.get_model_version("birds", "2")
    assert (version.tags["promoted_from"], version.tags["promoted_at"]) == ("1", second.at)


def test_promoting_the_champion_changes_nothing(model):
    first = promote("birds", 1, "first", "x")
    assert promote("birds", 1, "again", "y") == first
    assert len(history("birds")) == 1


def test_rollbacks_go_back_one_champion_at_a_time_and_are_recorded(model):
    for version in (1, 2, 3):
        promote("birds", version, "better", "x")
    assert rollback("birds", "it hums", "ann").version == 2
    assert rollback("birds", "it still hums", "ann").version == 1
    assert champion_of("birds") == 1
    assert told()[:2] == [(5, 2, 1, True), (4, 3, 2, True)]
    with pytest.raises(UserError, match="no champion before"):
        rollback("birds", "once more", "ann")
    promote("birds", 4, "new", "x")
    assert rollback("birds", "no", "ann").version == 1


def test_a_rollback_passes_over_versions_that_were_deleted(model):
    for version in (1, 2, 3):
        promote("birds", version, "better", "x")
    model.delete_model_version("birds", "2")
    assert rollback("birds", "bad", "ann").version == 1


def test_a_promotion_decided_against_a_champion_that_is_no_more_is_refused_and_says_who_won(model):
    promote("birds", 1, "first", "x")
    promote("birds", 2, "mine", "ann@desk", replaces=1)
    with pytest.raises(ChampionChanged, match=r"meanwhile version 2 became champion .* by ann@desk: mine"):
        promote("birds", 3, "also mine", "bob", replaces=1)
    assert champion_of("birds") == 2


def test_two_at_once_cannot_both_win(model):
    promote("birds", 1, "first", "x")

    def attempt(version):
        try:
            return promote("birds", version, "better", f"by-{version}", replaces=1)
        except ChampionChanged as lost:
            return lost

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(attempt, (2, 3, 4)))
    [won] = [result for result in results if not isinstance(result, ChampionChanged)]
    assert champion_of("birds") == won.version
    assert told() == [(2, 1, won.version, False), (1, None, 1, False)]
    assert all(f"version {won.version} became" in str(lost) for lost in results if isinstance(lost, ChampionChanged))


@pytest.mark.parametrize("call", ["set_registered_model_alias", "set_registered_model_tag", "set_model_version_tag"])
def test_killed_between_record_and_alias_the_next_call_completes_it(model, monkeypatch, call):
    promote("birds", 1, "first", "x")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"mlflow.MlflowClient.{call}", killed)
    with pytest.raises(KeyboardInterrupt):
        promote("birds", 2, "better", "y")
    monkeypatch.undo()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", model.tracking_uri)
    with pytest.raises(ChampionChanged):
        promote("birds", 3, "judged against 1", "z", replaces=1)
    assert champion_of("birds") == 2
    assert told() == [(2, 1, 2, False), (1, None, 1, False)]


def test_an_alias_moved_by_hand_becomes_a_record_and_can_be_rolled_back(model):
    promote("birds", 1, "first", "x")
    model.set_registered_model_alias("birds", "champion", "3")
    promote("birds", 4, "better", "y")
    assert [(p.version, p.why) for p in history("birds")][1] == (3, "the alias was moved outside of Earmark")
    assert rollback("birds", "bad", "ann").version == 3


def test_a_champion_from_before_records_were_kept_is_the_first_record(model):
    model.set_registered_model_alias("birds", "champion", "2")
    promote("birds", 3, "better", "x", replaces=2)
    assert told() == [(2, 2, 3, False), (1, None, 2, False)]


def test_an_alias_deleted_by_hand_means_no_champion(model):
    promote("birds", 1, "first", "x")
    model.delete_registered_model_alias("birds", "champion")
    assert promote("birds", 2, "again", "x", replaces=None).replaced is None
    assert champion_of("birds") == 2


def test_a_model_made_anew_starts_its_history_anew(model):
    promote("birds", 2, "first", "x")
    model.delete_registered_model("birds")
    model.create_registered_model("birds")
    model.create_model_version("birds", "file:///nowhere")
    promote("birds", 1, "first again", "x", replaces=None)
    assert told() == [(1, None, 1, False)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: promote("birds", 9, "why", "x"), r"no version 9: it has 1, 2, 3, 4"),
        (lambda: promote("brids", 1, "why", "x"), "did you mean 'birds'"),
        (lambda: promote("birds", 1, "  ", "x"), "--why"),
        (lambda: promote("birds", 1, "w" * 1001, "x"), "shorten it"),
        (lambda: rollback("birds", "why", "x"), "no champion before"),
        (lambda: history("brids"), "did you mean 'birds'"),
    ],
)
def test_bad_input_is_named_and_nothing_changes(model, call, message):
    with pytest.raises(UserError, match=message):
        call()
    assert champion_of("birds") is None
    assert history("birds") == []


def test_champions_is_a_stack(model):
    for version in (1, 2, 1, 3):
        promote("birds", version, "x", "x")
    assert champions(history("birds")[::-1]) == [1, 2, 1, 3]
    rollback("birds", "x", "x")
    assert champions(history("birds")[::-1]) == [1, 2, 1]


def test_a_promotion_that_is_slower_than_the_next_does_not_set_the_alias_back(model, monkeypatch):
    promote("birds", 1, "first", "x")
    move, seen = promotion.Ledger._move, []

    def slow(ledger, record):
        if record.number == 2 and not seen:
            seen.append(record)
            promote("birds", 3, "overtakes", "y")
        move(ledger, record)

    monkeypatch.setattr(promotion.Ledger, "_move", slow)
    promote("birds", 2, "slow", "x")
    assert champion_of("birds") == 3
    assert told() == [(3, 2, 3, False), (2, 1, 2, False), (1, None, 1, False)]
