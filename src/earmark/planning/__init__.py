"""What a run would take before it is run: time, memory, storage, requests and cost of each step."""

from earmark.planning.estimate import Cluster, Plan, Row, estimate
from earmark.planning.rates import NetworkRates, Rates, read_rates, write_rates
from earmark.planning.requests import Requests
from earmark.planning.sizes import Corpus, Sizes

__all__ = [
    "Cluster",
    "Corpus",
    "NetworkRates",
    "Plan",
    "Rates",
    "Requests",
    "Row",
    "Sizes",
    "estimate",
    "read_rates",
    "write_rates",
]
