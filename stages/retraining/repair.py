"""What an arm mends in a pruned network before training: the values of its key `repair`."""

from collections.abc import Callable
from typing import Literal

from torch import nn

from stages.images.prepared import Prepared
from stages.networks.compact import Kept
from stages.retraining.trainable import head_of
from stages.training.errors import explained
from stages.training.recalibration import recalibrated
from stages.training.variance import matched

Repair = Literal["batchnorm", "variance"] | None


def repaired(
    network: nn.Module,
    repair: Repair,
    kept: Kept,
    dense: Callable[[], nn.Module],
    data: Prepared,
    batch_size: int,
) -> nn.Module:
    """Return a pruned network with what `repair` names mended; as it is where that is None.

    `kept` are the channels that it has of the dense network, which `dense` loads.
    """
    with explained("compute.evaluation_batch_size"):
        if repair == "batchnorm":
            return recalibrated(network, data, batch_size)
        if repair == "variance":
            head = head_of(network, data.classes)
            return matched(network, dense(), kept, head, data, batch_size)
    return network
