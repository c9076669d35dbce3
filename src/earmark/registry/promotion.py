"""Who is champion: promotions recorded, numbered, decided one after another, and taken back.

MLflow moves an alias without a trace and has no transactions. What it does keep is parameters: a run's parameter is
written once and never changed (the database's primary key sees to it), so the promotions of a model are the parameters
``0001``, ``0002``, … of one run of its own, in the experiment ``earmark-promotions``. Whoever writes a number first has
made that promotion; everybody else is told who did. A promotion says which champion it replaces, and is refused where
that is no longer the champion: two at once cannot both win.

A promotion has three parts, in this order: the record (a parameter; from here on it counts), the alias ``champion``,
and the same record as tag ``promotion.0001`` of the registered model, which shows it there and says that the alias was
moved. Killed in between, the next call that asks who is champion finds a record without its tag and does the rest.
Whoever moved the alias looks once more at the records: if a later promotion came meanwhile, its alias is set again.
An alias that stays where no record moved it (by hand on MLflow's pages, or before records were kept) becomes a record,
too, since what is deployed is what counts. One that was deleted by hand means that there is no champion.
"""

from __future__ import annotations

import getpass
import json
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

from earmark.errors import EarmarkError, UserError, unknown_name
from earmark.registry.versions import CHALLENGER, CHAMPION, check_name, every
from earmark.tracking import connect, mlflow_needed
from earmark.tracking.runs import claim, experiment

EXPERIMENT = "earmark-promotions"
TAG = "promotion."
MOST_WORDS = 1000
"""Characters of a reason: it is kept in a parameter and a tag."""
OUTSIDE = "the alias was moved outside of Earmark"
OUTSIDE_FOR_SECONDS = 2.0
"""How long an alias must name another version than the last record's to count as moved by hand."""
POLL_SECONDS = 0.05
PRESENT = -1
"""In place of the champion that a promotion replaces: whichever there is."""


class ChampionChanged(EarmarkError):
    """Another promotion came first."""


@dataclass(frozen=True)
class Promotion:
    """One change of the champion."""

    number: int
    replaced: int | None
    """Version that was champion before; None if there was none."""
    version: int
    """Version that became champion."""
    at: str
    by: str
    """The pipeline run, or user@host."""
    why: str
    decision: str = ""
    """Key of the gate's decision, where one led to this."""
    rollback: bool = False
    id: str = ""
    """Tells this call's record from another's that says the same."""


def who() -> str:
    """The person at this machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an id without a name, as in containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def promote(
    name: str, version: int, why: str, by: str, *, decision: str = "", replaces: int | None = PRESENT
) -> Promotion:
    """Make a version the champion; the champion itself stays what it is, and its own promotion is returned.

    Args:
        name: the registered model.
        version: which becomes champion.
        why: a reason, of at most :data:`MOST_WORDS` characters.
        by: a pipeline run, or :func:`who`.
        decision: key of the gate's decision.
        replaces: the champion that this was decided against, None for none; PRESENT for whichever there is.

    Raises:
        UserError: no such model or version, or no reason.
        ChampionChanged: another promotion came first; it says which.
        EarmarkError: MLflow does not answer.
    """
    check_name(name)
    reason = _reason(why)
    with mlflow_needed():
        client = connect()
        ledger = Ledger(client, find_model(client, name))
        ledger.check_version(version)
        standing = ledger.settle()
        if standing.champion == version:
            return standing.records[-1]
        if replaces not in (PRESENT, standing.champion):
            raise _changed(name, version, standing.records[-1] if standing.champion else None)
        return ledger.add(standing, version, reason, by, decision=decision)


def rollback(name: str, why: str, by: str) -> Promotion:
    """Make the champion before the present one champion again; done again it goes back further.

    Raises:
        UserError: no such model, or no champion before this one.
        ChampionChanged: another promotion came first.
        EarmarkError: MLflow does not answer.
    """
    check_name(name)
    reason = _reason(why)
    with mlflow_needed():
        client = connect()
        ledger = Ledger(client, find_model(client, name))
        standing = ledger.settle()
        there = ledger.versions()
        before = [version for version in champions(standing.records)[:-1] if version in there]
        if not before:
            raise UserError(f"model {name!r} has no champion before the present one: nothing to go back to")
        return ledger.add(standing, before[-1], reason, by, rollback=True)


def history(name: str) -> list[Promotion]:
    """The promotions of a model as its tags tell them, the newest first; nothing is changed.

    Raises:
        UserError: no such model.
        EarmarkError: MLflow does not answer.
    """
    check_name(name)
    with mlflow_needed():
        tags = find_model(connect(), name).tags
    return [Promotion(**json.loads(tags[tag])) for tag in sorted(tags, reverse=True) if tag.startswith(TAG)]


def champion_of(name: str) -> int | None:
    """The version that is champion; None where there is none, or no such model.

    Raises:
        EarmarkError: MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException

    with mlflow_needed():
        try:
            version = connect().get_registered_model(name).aliases.get(CHAMPION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
    return int(version) if version is not None else None


def settled(name: str) -> Standing:
    """Where a model's promotions have come to, once what others left undone is done.

    Raises:
        UserError: no such model.
        EarmarkError: MLflow does not answer.
    """
    with mlflow_needed():
        client = connect()
        return Ledger(client, find_model(client, name)).settle()


def champions(records: Sequence[Promotion]) -> list[int]:
    """The champions that rollbacks lead through, the present one last: a promotion adds one, a rollback takes away."""
    stack: list[int] = []
    for record in records:
        if record.rollback:
            while stack and stack[-1] != record.version:
                stack.pop()
        if not stack or stack[-1] != record.version:
            stack.append(record.version)
    return stack


def find_model(client: MlflowClient, name: str) -> RegisteredModel:
    """A registered model.

    Raises:
        UserError: there is none of that name, with the nearest there is.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    known = [model.name for model in every(lambda token: client.search_registered_models(page_token=token))]
    if not known:
        raise UserError(f"no model {name!r}: none is registered yet; `earmark run compare --data DIR` makes the first")
    raise unknown_name("model", name, known)


class Standing(NamedTuple):
    """Where a model's promotions have come to."""

    records: list[Promotion]
    """The oldest first."""
    champion: int | None
    """The version that the alias names; None where it names none."""


class Ledger:
    """The promotions of one registered model. A model that was deleted and made anew has a ledger of its own."""

    def __init__(self, client: MlflowClient, model: RegisteredModel) -> None:
        self._client, self._name = client, model.name
        place = experiment(client, EXPERIMENT)
        identity = {"earmark.model": model.name, "earmark.model_created": str(model.creation_timestamp)}
        self._run, new = claim(client, place, model.name, identity, {"earmark.level": "registry"})
        if new:
            client.set_terminated(self._run)

    def versions(self) -> set[int]:
        """The versions that the registry has."""
        wanted = f"name = '{self._name}'"
        found = every(lambda token: self._client.search_model_versions(wanted, page_token=token))
        return {int(version.version) for version in found}

    def check_version(self, version: int) -> None:
        """Refuse a version that is not there."""
        found = self.versions()
        if version not in found:
            listed = ", ".join(map(str, sorted(found)))
            raise UserError(f"model {self._name!r} has no version {version}: it has {listed or 'none'}")

    def settle(self) -> Standing:
        """Complete what a killed promotion left undone, and take in what was moved by hand."""
        until = time.monotonic() + OUTSIDE_FOR_SECONDS
        moved = 0
        while True:
            records = self._records()
            model = self._client.get_registered_model(self._name)
            alias = model.aliases.get(CHAMPION)
            champion = int(alias) if alias is not None else None
            last = records[-1] if records else None
            astray = champion is not None and (last is None or champion != last.version)
            if last is not None and (_tag(last) not in model.tags or (astray and 0 < moved < last.number)):
                self._move(last)
                moved = last.number
            elif astray and last is not None and time.monotonic() < until:
                # Perhaps a promotion that was slower than the next one, which will look again.
                time.sleep(POLL_SECONDS)
            elif astray:
                assert champion is not None
                self._write(_following(last, champion, "", OUTSIDE))
            else:
                return Standing(records, champion)

    def add(
        self, standing: Standing, version: int, why: str, by: str, *, decision: str = "", rollback: bool = False
    ) -> Promotion:
        """Record a promotion after the last one, and move the alias.

        Raises:
            ChampionChanged: another call was first.
        """
        last = standing.records[-1] if standing.records else None
        mine = replace(_following(last, version, by, why), replaced=standing.champion, decision=decision)
        mine = replace(mine, rollback=rollback, id=uuid.uuid4().hex[:8])
        first = self._write(mine)
        self.settle()
        if first != mine:
            raise _changed(self._name, version, first)
        return mine

    def _records(self) -> list[Promotion]:
        params = self._client.get_run(self._run).data.params
        return [Promotion(**json.loads(params[number])) for number in sorted(params)]

    def _write(self, record: Promotion) -> Promotion:
        """The record under that number: this one, or that of whoever was first."""
        from mlflow.exceptions import MlflowException

        number = f"{record.number:04d}"
        try:
            self._client.log_param(self._run, number, json.dumps(asdict(record), ensure_ascii=False))
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":
                raise
        return Promotion(**json.loads(self._client.get_run(self._run).data.params[number]))

    def _move(self, record: Promotion) -> None:
        client, name, version = self._client, self._name, str(record.version)
        if record.version in self.versions():
            client.set_model_version_tag(name, version, "promoted_from", str(record.replaced or ""))
            client.set_model_version_tag(name, version, "promoted_at", record.at)
            client.set_registered_model_alias(name, CHAMPION, version)
            if str(client.get_registered_model(name).aliases.get(CHALLENGER)) == version:
                client.delete_registered_model_alias(name, CHALLENGER)
        client.set_registered_model_tag(name, _tag(record), json.dumps(asdict(record), ensure_ascii=False))


def _following(last: Promotion | None, version: int, by: str, why: str) -> Promotion:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Promotion(last.number + 1 if last else 1, last.version if last else None, version, now, by, why)


def _tag(record: Promotion) -> str:
    return f"{TAG}{record.number:04d}"


def _reason(why: str) -> str:
    reason = " ".join(why.split())
    if not reason:
        raise UserError("a promotion is recorded with its reason: give one with --why TEXT")
    if len(reason) > MOST_WORDS:
        raise UserError(f"the reason has {len(reason)} characters and room is for {MOST_WORDS}: shorten it")
    return reason


def _changed(name: str, version: int, by: Promotion | None) -> ChampionChanged:
    if by is None:
        return ChampionChanged(f"version {version} of {name} was not promoted: there is no champion any more")
    return ChampionChanged(
        f"version {version} of {name} was not promoted: meanwhile version {by.version} became champion "
        f"({by.at}, by {by.by or 'someone'}: {by.why}). Run the same command again to be judged against it"
    )
