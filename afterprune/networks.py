"""The networks that pruning and retraining leave, for use outside the project."""

from pathlib import Path

from torch import nn

from stages.networks import compact


def load(path: Path | str, network: nn.Module | None = None) -> nn.Module:
    """Read a network of `models/` or of `afterprune export --format state_dict`.

    `network` is the dense network, freshly built, whose layers are cut to the file's shapes in
    place; without it, the file's own description builds it, which runs `model.code` for a network
    that is not one of the project's own. A Fault where the tensors do not fit.
    """
    return compact.load(path) if network is None else compact.filled(network, path)
