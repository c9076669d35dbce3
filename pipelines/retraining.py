"""What a retraining tells."""

from __future__ import annotations

from typing import Any

from earmark.pipelines.decision import champion_in, decision_lines, decision_of, gate_in
from earmark.pipelines.local import Place
from earmark.pipelines.showing import print_networks
from earmark.pipelines.terminal import print_json
from earmark.store import Store
from earmark.store.runs import result_of


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
