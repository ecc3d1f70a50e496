"""What a network costs: parameters, those that are not zero, and multiply-accumulates.

MACs are those of one image, in convolutions, linear layers, and the two products of an attention,
queries by keys and weights by values: one MAC for each pair of numbers that is multiplied and
added, zeros included. Biases, normalisation, softmax, activations, pooling and sums do not count.
An attention of N tokens and heads of together d numbers has 4 N d^2 MACs in its four projections
and 2 N^2 d in its products, whatever is masked. Parameters are weights, biases and scales, no
buffers. Nonzero are the parameters less the zeros in weights of more than one dimension.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
PRODUCTS = {
    aten.mm: 0,
    aten.bmm: 0,
    aten.mv: 0,
    aten.dot: 0,
    aten.addmm: 1,
    aten.baddbmm: 1,
    aten.addmv: 1,
}
"""What all products of matrices become in torch: at which argument the first factor is."""


@dataclass(frozen=True)
class Cost:
    """Parameters, nonzero parameters and MACs of a network, counted as this file says."""

    parameters: int
    nonzero: int
    macs: int


@dataclass(frozen=True)
class LayerCost:
    """The same for one module that owns parameters or multiplies; `kind` is its class name."""

    name: str
    kind: str
    parameters: int
    nonzero: int
    macs: int


def cost(network: nn.Module, input_shape: Sequence[int]) -> Cost:
    """Cost of the network for one image of `input_shape` [C, H, W]."""
    rows = layers(network, input_shape)
    return Cost(
        parameters=sum(row.parameters for row in rows),
        nonzero=sum(row.nonzero for row in rows),
        macs=sum(row.macs for row in rows),
    )


def layers(network: nn.Module, input_shape: Sequence[int]) -> list[LayerCost]:
    """Cost of each module that owns parameters or multiplies, in the network's order.

    What a module computes outside the modules in it is its own, as the products of an attention.
    """
    macs = _macs(network, input_shape)
    return [
        LayerCost(
            name=name,
            kind=type(module).__name__,
            parameters=sum(parameter.numel() for parameter in parameters),
            nonzero=sum(_nonzero(parameter) for parameter in parameters),
            macs=macs[module],
        )
        for name, module in network.named_modules()
        if (parameters := list(module.parameters(recurse=False))) or macs[module]
    ]


def _nonzero(parameter: Tensor) -> int:
    return int(parameter.count_nonzero()) if parameter.ndim > 1 else parameter.numel()


def _macs(network: nn.Module, input_shape: Sequence[int]) -> Counter[nn.Module]:
    counting = _Counting(network)
    handles = [
        handle
        for module in network.modules()
        for handle in (
            module.register_forward_pre_hook(counting.enter),
            module.register_forward_hook(counting.leave),
        )
    ]
    first = next(network.parameters())
    try:
        with _evaluating(network), _products_alone(), torch.no_grad(), counting:
            network(torch.zeros(1, *input_shape, dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
    return counting.macs


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds the MACs of every operation to those of the innermost module that is running.

    torch.utils.flop_counter.FlopCounterMode misses the attention of a CPU, and imports sympy.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running: list[nn.Module] = [network]
        self.macs: Counter[nn.Module] = Counter()

    def enter(self, module: nn.Module, given: object) -> None:
        """Note that a module begins."""
        self.running.append(module)

    def leave(self, module: nn.Module, given: object, made: object) -> None:
        """Note that the module that began last ends."""
        self.running.pop()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes longer than all counting."""
        return False

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = operation(*args, **(kwargs or {}))
        self.macs[self.running[-1]] += _multiplied(operation.overloadpacket, args, made)
        return made


def _multiplied(operation: Any, args: Sequence[Any], made: Any) -> int:
    if operation in PRODUCTS:
        return int(made.numel() * args[PRODUCTS[operation]].shape[-1])
    if operation is aten.convolution:
        transposed = args[6]
        return int((args[0] if transposed else made).numel() * args[1][0].numel())
    return 0


@contextmanager
def _products_alone() -> Iterator[None]:
    """Let attention be computed by products of matrices, not by one operation of its own."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
