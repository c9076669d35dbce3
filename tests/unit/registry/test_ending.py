"""What a pipeline's run in MLflow says of its costs."""

from earmark.registry.ending import _costs


def test_costs_are_summed_over_networks_and_left_out_where_none_is_known():
    networks = [{"gpu_seconds": 10.0, "cost": 1.5}, {"gpu_seconds": 5.0}, {}]
    assert _costs(networks) == {"total/gpu_seconds": 15.0, "total/cost": 1.5}
    assert _costs([{"seconds": 3.0}]) == {}
