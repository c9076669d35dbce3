"""Rates of a machine that there is not."""

from earmark.planning import NetworkRates, Rates
from earmark.planning.rates import STEPS

NETWORKS = ("fully_connected", "alexnet")
RATES = Rates(
    source="made up",
    cores=2,
    width=1.0,
    batch_size=128,
    start_seconds=1.0,
    step_seconds=dict.fromkeys(STEPS, 2.0),
    catalog_clips_per_second=5e3,
    extract_x_real_time=900.0,
    extract_clips_per_second=4e3,
    encoded_bytes_per_second=12e3,
    join_clips_per_second=7e4,
    assemble_clips_per_second=3e4,
    open_clips_per_second=2e5,
    scan_bytes_per_second=9e8,
    hash_bytes_per_second=1.5e9,
    store_bytes_per_second=3e8,
    bootstrap_draws_per_second=1.6e8,
    metrics_scores_per_second=4e5,
    networks={name: NetworkRates(train=200.0, predict=700.0, score=500.0) for name in NETWORKS},
)
