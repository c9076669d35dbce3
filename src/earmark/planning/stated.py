"""Rates of GPUs that are not here: stated, not measured.

Those of training are the goals of this project for one H200 at a batch of 128 and width 1 (60 % of the lower of its
bounds by arithmetic and by memory). A forward pass is a third of a training step; evaluation, clip by clip in float32,
is taken as half as fast as training.
"""

from __future__ import annotations

from collections.abc import Sequence

from earmark.errors import UserError
from earmark.planning.rates import NetworkRates, Rates

GPU = "one H200, stated"
TRAIN_PATCHES_PER_SECOND = {
    "fully_connected": 100_000.0,  # a step of 1.3 ms: what launching its kernels takes
    "alexnet": 100_000.0,
    "vgg": 32_000.0,
    "inception_v3": 13_000.0,
    "resnet50": 16_000.0,
}
PREDICT, SCORE = 3.0, 0.5


def stated_gpu(networks: Sequence[str], width: float) -> dict[str, NetworkRates]:
    """Rates of networks on one H200.

    Raises:
        UserError: a network or a width for which there are none.
    """
    for name in networks:
        if name not in TRAIN_PATCHES_PER_SECOND or width != 1.0:
            raise UserError(
                f"no GPU is here and none is stated for {name} at width {width:g}: give --rates with its train, "
                "predict and score in patches a second, or leave --gpus out"
            )
    rates = {name: TRAIN_PATCHES_PER_SECOND[name] for name in networks}
    return {name: NetworkRates(train=rate, predict=PREDICT * rate, score=SCORE * rate) for name, rate in rates.items()}


def with_stated_gpu(rates: Rates, networks: Sequence[str]) -> Rates:
    """This machine's rates with networks on a stated GPU."""
    found = stated_gpu(networks, rates.width)
    source = f"{rates.source}; networks stated, not measured: goals for one H200"
    return rates.model_copy(update={"networks": found, "gpu": GPU, "source": source})
