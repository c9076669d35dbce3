"""Networks compared, each with the options that it has."""

import pytest

from earmark.architectures import compare_request
from earmark.errors import UserError


def test_an_option_goes_to_the_networks_that_have_it():
    experiment = compare_request("quick", {"architecture": {"options": {"stem": "pool_first", "depth": 2}}}, [])
    options = {v.name: experiment.variant(v.name).architecture.options for v in experiment.variants}
    assert options == {
        "fully_connected": {"depth": 2},
        "alexnet": {},
        "vgg": {},
        "inception_v3": {"stem": "pool_first"},
        "resnet50": {},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stemm": "text"}, "'stemm'; did you mean 'stem'"),
        ({"stem": "pool"}, "stem of inception_v3"),
        ({"depth": 0}, "depth of fully_connected"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(options, message):
    with pytest.raises(UserError, match=message):
        compare_request("quick", {"architecture": {"options": options}}, [])


def test_an_option_of_a_network_that_is_left_out_is_refused():
    with pytest.raises(UserError, match="'stem'"):
        compare_request("quick", {"architecture": {"options": {"stem": "text"}}}, ["vgg", "fully_connected"])
