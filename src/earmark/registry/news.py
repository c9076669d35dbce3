"""What a data set has that the champion's does not: the step ``find_news``, and whether there is anything to learn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

from earmark.catalog.content import column
from earmark.config import result_key
from earmark.errors import UserError
from earmark.progress import Progress
from earmark.registry.clips import claimed_clips
from earmark.registry.download import fetch_package
from earmark.registry.package import Package
from earmark.registry.promotion import champion_of
from earmark.registry.versions import CHAMPION, check_name
from earmark.store import Attempt, Manifest, Store, once

STEP, EPOCH = "find_news", 1
NOTHING = "nothing new"


@dataclass(frozen=True)
class News:
    """Ids of clips that differ from those that a model was made of."""

    new: tuple[str, ...]
    """Sounds that were not there."""
    changed: tuple[str, ...]
    """Clips of the same name with another sound."""
    removed: tuple[str, ...]
    """Sounds that are no longer there."""
    relabelled: tuple[str, ...]
    """The same sounds with other labels."""

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(ids) for name, ids in asdict(self).items()}

    def told(self) -> str:
        """In words: ``24 new, 1 relabelled``."""
        return ", ".join(f"{count} {name}" for name, count in self.counts().items() if count) or NOTHING


def find_champion(model: str) -> Package:
    """The package of a model's champion, which retraining starts from.

    Raises:
        UserError: there is none.
    """
    check_name(model)
    if champion_of(model) is None:
        raise UserError(
            f"model {model!r} has no champion to retrain: make one first with "
            f"`earmark run compare --data DIR --model {model}`"
        )
    return fetch_package(f"models:/{model}@{CHAMPION}")


def find_news(store: Store, catalog: Manifest, model: str, progress: Progress) -> Manifest:
    """Compare a catalog with the clips of a model's champion. Clips count by their sound, whatever they are called.

    File: ``news.json`` (ids). Facts: model, champion, counts, ``found`` (whether there is anything).

    Raises:
        UserError: there is no champion, or it is too old to tell its clips.
    """
    champion = find_champion(model)
    known = champion.clips()

    def work(attempt: Attempt) -> None:
        news = news_of(known, claimed_clips(store, catalog))
        attempt.put_json("news.json", {"schema_version": 1, **asdict(news)})
        attempt.facts = {"model": model, "champion": champion.version, "counts": news.counts(), "found": bool(news)}
        attempt.facts["told"] = news.told()
        progress.note(f"{news.told()} since version {champion.version} of {model}")

    key = result_key(STEP, EPOCH, [catalog.digest, model, str(champion.version), champion.document["weights_sha256"]])
    return once(store, STEP, key, work)


def news_of(known: pa.Table, now: pa.Table) -> News:
    """How a catalog's clips differ from a model's.

    Args:
        known: ``Package.clips()``.
        now: :func:`earmark.registry.clips.claimed_clips`. A missing file is one that is not there.
    """
    before, after = _by_id(known), _by_id(now)
    known_keys, keys = _labels_by_key(before), _labels_by_key(after)
    new, changed, relabelled = [], [], []
    for clip, (key, labels) in after.items():
        if key in known_keys:
            own = before.get(clip)
            same = own[1] == labels if own is not None and own[0] == key else labels in known_keys[key]
            relabelled += [] if same else [clip]
        elif clip in before:
            changed.append(clip)
        else:
            new.append(clip)
    removed = [clip for clip, (key, _) in before.items() if key not in keys and clip not in changed]
    return News(*(tuple(sorted(ids)) for ids in (new, changed, removed, relabelled)))


Clips = dict[str, tuple[str, frozenset[str]]]
"""Key and labels by clip id."""


def _by_id(table: pa.Table) -> Clips:
    rows = zip(*(column(table, name) for name in ("clip_id", "clip_key", "labels")), strict=True)
    return {clip: (key, frozenset(labels)) for clip, key, labels in rows if key}


def _labels_by_key(clips: Clips) -> dict[str, set[frozenset[str]]]:
    found: dict[str, set[frozenset[str]]] = {}
    for key, labels in clips.values():
        found.setdefault(key, set()).add(labels)
    return found
