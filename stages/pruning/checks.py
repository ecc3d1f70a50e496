"""What a network must be to be pruned, and what it must still do afterwards."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from stages.networks.building import seeded
from stages.pipeline.fault import Fault

TOLERANCE = 1e-5


def check_weights(network: nn.Module) -> None:
    """Raise a Fault that names a weight which is no parameter but computed from others."""
    for name, module in network.named_modules():
        leaf = _computed(module)
        if leaf:
            raise Fault(
                f"prune: {name}.{leaf} is computed from other parameters, as by weight_norm, and "
                "cannot be cut; make it a parameter itself (remove_parametrizations or "
                "remove_weight_norm of torch.nn.utils)"
            )


def _computed(module: nn.Module) -> str | None:
    """Name a tensor of a module that a parametrization or a hook computes."""
    if is_parametrized(module):
        return next(iter(module.get_submodule("parametrizations").named_children()))[0]
    return "weight" if isinstance(vars(module).get("weight"), Tensor) else None


def check_finite(network: nn.Module, images: Tensor) -> None:
    """Raise a Fault where the logits of a network that is to be pruned are not finite."""
    logits = _logits(network, images)
    broken = int((~logits.isfinite()).sum())
    if broken:
        raise Fault(
            f"prune: {broken} of {logits.numel()} logits of the network itself are not finite, "
            "before anything is removed; lower the learning rate that trained it"
        )


def check_equivalence(
    masked: nn.Module, compact: nn.Module, images: Tensor, tolerance: float = TOLERANCE
) -> float:
    """Return the largest difference between the logits of two networks on [B, C, H, W].

    It is relative to the largest logit. Raises a Fault above `tolerance`, unless float64, which
    hardly rounds, shows that rounding was all. Logits that overflow must do so in both networks;
    the others are compared.
    """
    theirs = _logits(masked, images)
    try:
        ours = _logits(compact, images)
    except Exception as error:
        raise Fault(f"surgery: the compact network cannot run ({line(error)})") from error
    if ours.shape != theirs.shape:
        shapes = f"{list(ours.shape)} against {list(theirs.shape)}"
        raise Fault(f"surgery: the compact network gives logits {shapes} of the masked one")
    difference = _difference(ours, theirs)
    if difference > tolerance:
        exact = [_logits(*_exact(network, images)) for network in (compact, masked)]
        difference = _difference(exact[0], exact[1])
    if difference > tolerance:
        layer = _first_difference(masked, compact, images, tolerance)
        raise Fault(
            f"surgery: logits of the compact and the masked network differ by {difference:.2g} of "
            f"the largest, first at {layer}; at most {tolerance:.2g} is allowed"
        )
    return difference


def _difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference, relative to the largest of `theirs`, of finite numbers.

    It is infinite where only one of the two is finite.
    """
    finite = theirs.isfinite()
    if not torch.equal(ours.isfinite(), finite):
        return math.inf
    if torch.equal(ours[finite], theirs[finite]):
        return 0.0
    return float((ours - theirs)[finite].abs().max() / theirs[finite].abs().max())


def check_training(dense: nn.Module, compact: nn.Module, images: Tensor) -> None:
    """Run both networks once in training mode; a Fault that names the layer where one fails.

    Tracing sees evaluation mode alone: a branch that runs only in training, as an auxiliary head
    does, still expects the channels that were cut. `images` are [B, C, H, W] with B of 2 or more.
    """
    theirs = _training_logits(dense, images, "the network")
    ours = _training_logits(compact, images, "the pruned network")
    if ours.shape != theirs.shape:
        raise Fault(
            f"surgery: in training mode the pruned network returns {list(ours.shape)}, "
            f"the dense one {list(theirs.shape)}"
        )


def _training_logits(network: nn.Module, images: Tensor, what: str) -> Tensor:
    network = copy.deepcopy(network).train()
    layers = _running(network)
    try:
        with torch.no_grad(), seeded(0):
            logits: object = network(images)
    except Exception as error:
        raise Fault(
            f"surgery: in training mode {what} fails at {layers[-1]} ({line(error)}); pruning "
            "follows what runs in evaluation mode, which must be all that training runs"
        ) from error
    if not isinstance(logits, Tensor):
        raise Fault(
            f"surgery: in training mode {what} returns a {type(logits).__name__}; "
            "it must return the logits alone, a tensor [B, classes]"
        )
    return logits


def _running(network: nn.Module) -> list[str]:
    """Return a list that will name the modules that are running, the innermost last."""
    names: list[str] = []

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: names.append(name)

    def leave(*_: Any) -> None:
        names.pop()

    for name, module in network.named_modules():
        module.register_forward_pre_hook(enter(name))
        module.register_forward_hook(leave)
    return names


def _first_difference(
    masked: nn.Module, compact: nn.Module, images: Tensor, tolerance: float
) -> str:
    """Name the first convolution or linear layer whose output has another sum in both networks.

    Channels that are gone from the one are silent in the other, so sums over channels agree.
    """
    ours, theirs = (_sums(network, images) for network in (compact, masked))
    for name, whole in theirs.items():
        if name not in ours or _difference(ours[name], whole) > tolerance:
            return name
    return "the logits alone"


def _sums(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}

    def record(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            channels = -1 if isinstance(module, nn.Linear) else 1
            sums.setdefault(name, output.sum(channels))

        module.register_forward_hook(hook)

    network, images = _exact(network, images)
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            record(name, module)
    _logits(network, images)
    return sums


def _exact(network: nn.Module, images: Tensor) -> tuple[nn.Module, Tensor]:
    """Return copies in float64, or in float32 where the network runs in nothing else."""
    double = copy.deepcopy(network).double()
    try:
        _logits(double, images.double())
    except RuntimeError:
        return copy.deepcopy(network), images
    return double, images.double()


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = copy.deepcopy(network).eval()(images)
    return logits.detach()


def line(error: Exception) -> str:
    """Return what an error says, on one line."""
    return " ".join(f"{error}".split()) or type(error).__name__
