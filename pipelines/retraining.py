"""``earmark run retrain``: which experiment the champion's retraining is, how its run is called, what it tells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from earmark.config import Experiment, Variant, compare_experiment, merge, parse_config
from earmark.errors import UserError, unknown_name
from earmark.pipelines.commands import absolute, print_networks, run_graph
from earmark.pipelines.decision import champion_in, decision_lines, decision_of, gate_in
from earmark.pipelines.local import Place, open_place
from earmark.pipelines.runs import result_of
from earmark.pipelines.settings import compare_request
from earmark.pipelines.terminal import print_json
from earmark.store import Store

if TYPE_CHECKING:
    from earmark.registry import Package

STARTS = ("scratch", "champion")


def run_retrain(
    data: str,
    model: str,
    start: str,
    preset: str | None,
    architectures: Sequence[str],
    patch: Mapping[str, Any],
    force: bool,
    work: str,
    json: bool,
    processes: int | None = None,
) -> None:
    """Run the graph here, then say what was new and what the gate decided.

    The run is named by what was asked, by the data's listing and by the champion: the same command finds or goes on
    with its run as long as both are the same, and is a new run once either is not.
    """
    if start not in STARTS:
        raise unknown_name("start in --from:", start, STARTS)
    place = replace(open_place(work), processes=processes)
    os.environ.update(place.environment())
    from earmark.catalog.root import open_root
    from earmark.registry import find_champion

    listing = open_root(absolute(data)).digest()
    champion = find_champion(model)
    experiment = retrain_request(champion, start, preset, architectures, patch)
    run_graph(
        "retrain",
        data,
        experiment,
        model,
        place,
        json,
        print_retraining,
        more={"force": force},
        identity={"listing": listing, "champion": champion.version},
    )


def retrain_request(
    champion: Package, start: str, preset: str | None, architectures: Sequence[str], patch: Mapping[str, Any]
) -> Experiment:
    """The experiment that trains the champion's successor: by default its own network and config.

    Args:
        champion: whose config is used, and with ``start`` champion whose weights.
        start: scratch or champion.
        preset: in place of the champion's config.
        architectures: in place of the champion's.
        patch: values over either.

    Raises:
        UserError: an unknown preset, network, key or option; weights of another network asked for.
    """
    own = parse_config(champion.document["config"])
    names = list(architectures) or [own.architecture.name]
    if start == "champion":
        if names != [own.architecture.name]:
            raise UserError(
                f"--from champion starts from the weights of {own.architecture.name}, not of {', '.join(names)}: leave "
                "--architectures out, or train --from scratch"
            )
        patch = merge(patch, {"train": {"init_from": f"models:/{champion.name}/{champion.version}"}})
    if preset is not None:
        return compare_request(preset, patch, names)
    # What the champion itself began with is no part of how to train its successor.
    plain = merge(own.model_dump(), {"train": {"init_from": None, "resume_from": None}})
    config = parse_config(merge(plain, patch))
    options = dict(config.architecture.options)
    bare = config.model_copy(update={"architecture": config.architecture.model_copy(update={"options": {}})})
    whole = compare_experiment(bare, names)
    name = own.architecture.name
    mine = Variant(name=name, patch={"architecture": {"name": name, "options": options}})
    variants = [mine if variant.name == name else variant for variant in whole.variants]
    checked = whole.model_copy(update={"variants": tuple(variants)})
    for variant in checked.variants:
        checked.variant(variant.name)
    return checked


def print_retraining(place: Place, store: Store, run: str, json: bool) -> None:
    """What came of a retraining, as far as it got."""
    news = result_of(store, run, "find_news")
    if news is None:
        return
    facts = decision_of(place, store, run)
    compared = result_of(store, run, "compare_models")
    if json:
        told: dict[str, Any] = {"run": run, "news": news.facts["counts"], "outcome": "nothing new", "gate": None}
        told["champion"] = {"name": news.facts["model"], "version": news.facts["champion"]}
        if facts is not None:
            told |= {"outcome": facts["outcome"], "champion": champion_in(facts), "gate": gate_in(facts)}
        print_json({**told, "networks": compared.facts["networks"] if compared else []})
        return
    print(f"{news.facts['told']} since version {news.facts['champion']} of {news.facts['model']}")
    if compared is not None:
        print_networks(compared.facts)
    for line in decision_lines(facts) if facts is not None else ():
        print(line)
