"""A catalog's clips extracted in partitions, by as many processes or pods side by side; ``extract_features`` merges."""

from __future__ import annotations

from earmark.config import DataConfig, FeatureSpec, digest
from earmark.environment import whole_number
from earmark.features.fill import fill, filled
from earmark.features.isolated import prepare
from earmark.features.plan import STEP, fixed_plan, patches_key, wanted
from earmark.features.shards import Parts, shard_of
from earmark.progress import Progress
from earmark.store import Manifest, Store, find, open_store

PODS = "EARMARK_FEATURE_PODS"
CLIPS_A_PARTITION = 16
"""Fewer are not worth a pod of their own."""


def partitions(clips: int) -> list[str]:
    """The partitions that so many clips are extracted in, ``1/3`` to ``3/3``: ``EARMARK_FEATURE_PODS``, or one.

    Raises:
        UserError: the variable is no whole number from 1 up.
    """
    count = max(1, min(whole_number(PODS, least=1) or 1, clips // CLIPS_A_PARTITION))
    return [f"{number}/{count}" for number in range(1, count + 1)]


def extract_part(
    store: Store, catalog: Manifest, spec: FeatureSpec, config: DataConfig, partition: int, of: int, progress: Progress
) -> Manifest:
    """Frames and facts of one partition's share of the clips that had none when the first of them began.

    What it made is found by :func:`extract_features`, which needs the same store, catalog, spec and config, and makes
    what is not there. The manifest names the shards; it is ``reused`` where nothing was left to make.

    Args:
        store: where features go.
        catalog: result of ``build_catalog`` or ``list_clips``.
        spec: how sound becomes frames.
        config: as :func:`extract_features` will have it.
        partition: its number, from 1.
        of: how many there are.
        progress: told how many clips are done, with seconds of sound a second.

    Raises:
        UserError: a file that is no longer what the catalog says.
    """
    assert 1 <= partition <= of
    key = patches_key(catalog, spec, config)
    if find(store, STEP, key) is not None:
        facts = {"partition": partition, "of": of, "clips": 0}
        return Manifest("extract_part", key, digest([]), {}, facts, reused=True)
    prepare()
    parts = Parts(store, spec)
    own = fixed_plan(parts, key, wanted(store, catalog), of).share(partition, of)
    there = filled(parts, own)
    tables = fill(parts, own, there, open_store(catalog.facts["data"]), progress)
    shards = {name: shard for name, table in tables.items() if (shard := shard_of(table)) is not None}
    facts = {"partition": partition, "of": of, "clips": sum(map(len, own.values()))}
    return Manifest("extract_part", key, digest(list(tables)), shards, facts, reused=len(there) == len(own))
