"""The same request is the same run."""

from earmark.pipelines.runs import networks_of, run_id
from earmark.store.runs import Run


def test_the_same_request_is_the_same_run():
    assert run_id("compare", {"data": "/a", "model": "m"}) == run_id("compare", {"model": "m", "data": "/a"})
    assert run_id("compare", {"data": "/a"}) != run_id("compare", {"data": "/b"})


def test_networks_over_folds_and_seeds_are_counted_once():
    run = Run(
        "crossval-1", "crossval", "/data", "", "quick", ("vgg.f1", "vgg.f2", "resnet50.f1"), "2026-01-01T00:00:00Z"
    )
    assert networks_of(run) == "vgg, resnet50 (3 models)"
