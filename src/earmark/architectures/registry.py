"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from earmark.architectures.alexnet import alexnet
from earmark.architectures.base import LINEAR, Network
from earmark.architectures.fully_connected import fully_connected
from earmark.architectures.inception_v3 import inception_v3
from earmark.architectures.options import OptionValue, complete_options
from earmark.architectures.resnet50 import resnet50
from earmark.architectures.vgg import vgg
from earmark.architectures.vggish import EMBEDDING, draw, vggish
from earmark.config import HeadConfig
from earmark.errors import UserError

TRUNKS: dict[str, Callable[..., tuple[nn.Module, int]]] = {
    "fully_connected": fully_connected,
    "alexnet": alexnet,
    "vgg": vgg,
    "inception_v3": inception_v3,
    "resnet50": resnet50,
    "vggish": vggish,
}


def create(
    name: str,
    n_labels: int,
    width: float = 1.0,
    bottleneck: int | None = None,
    dropout: float = 0.0,
    head: HeadConfig = LINEAR,
    **options: OptionValue,
) -> Network:
    """A network with fresh weights, drawn from torch's global generator, on torch's default device.

        network = create("resnet50", n_labels=10, width=0.25)
        logits_BC = network(patches_BTF)  # (B, 96, 64) log-mel → (B, 10)
        embeddings_BE = network.features(patches_BTF)  # (B, network.embedding_size)

    Args:
        name: fully_connected, alexnet, vgg, inception_v3, resnet50, or vggish, which is not the paper's.
        n_labels: number of outputs; 0 for a network that only gives embeddings.
        width: scales channels and dense units, to multiples of 8; 1.0 is the paper.
        bottleneck: size of an extra linear layer before the output, which becomes the embedding; not scaled. vggish has
            one in any case, of 128.
        dropout: between wide dense layers and before the head.
        head: what makes logits of embeddings; by default the paper's one linear layer.
        options: the network's own (:data:`earmark.architectures.OPTIONS`): ``depth``, ``units``,
            ``context_frames`` of fully_connected, ``final_pool`` of alexnet, ``stem`` of inception_v3, ``version`` of
            resnet50.

    Raises:
        UserError: for an unknown network or option, naming the nearest known one, for a size that cannot be, and
            for a neighbours head that holds no clips.
    """
    complete: dict[str, Any] = complete_options(name, options)
    if n_labels < 0:
        raise UserError(f"n_labels must be at least 0 (got {n_labels})")
    if not width > 0.0:
        raise UserError(f"width must be above 0 (got {width})")
    if bottleneck is not None and bottleneck < 1:
        raise UserError(f"bottleneck must be at least 1, or None for none (got {bottleneck})")
    if not 0.0 <= dropout < 1.0:
        raise UserError(f"dropout must be at least 0 and below 1 (got {dropout})")
    trunk, trunk_size = TRUNKS[name](width, dropout, **complete)
    if name != "vggish":
        return Network(trunk, trunk_size, n_labels, bottleneck, dropout, head, width)
    network = Network(trunk, trunk_size, n_labels, bottleneck or EMBEDDING, dropout, head, width)
    assert network.bottleneck is not None
    draw(network.bottleneck, width)
    return network
