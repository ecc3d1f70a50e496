"""What channels may pass on their way from the layers that make them to those that read them."""

from collections.abc import Iterator
from typing import Any

import torch_pruning as tp
from torch import nn

OP = tp.ops.OPTYPE
# fmt: off
CHANNELWISE = {
    "Relu", "Hardtanh", "Hardswish", "Hardsigmoid", "Sigmoid", "Silu", "Gelu", "LeakyRelu",
    "Elu", "Tanh", "Mish", "Softplus", "Clamp", "Abs", "Pow", "Sqrt", "Exp", "Clone", "Celu",
    "Neg", "Rsub", "NativeDropout", "MaxPool2DWithIndices", "AvgPool2D", "AdaptiveAvgPool2D",
    "AdaptiveMaxPool2D", "UpsampleNearest2D", "UpsampleBilinear2D", "ReflectionPad2D",
    "ReplicationPad2D",
}
# fmt: on
SUMS = {"Add", "Sub", "Maximum", "Minimum"}
GATES = {"Mul", "Div"}
POOLS = {"Mean", "Sum"}
RANKS = {"Squeeze", "Unsqueeze"}
ATTENDING = ("ScaledDotProduct", "Softmax", "SafeSoftmax", "Bmm")
MOVES = (OP.ELEMENTWISE, OP.CONCAT, OP.SPLIT, OP.SLICE, OP.UNBIND)
READERS = (nn.Conv2d, nn.Linear)
LAYERS = (*READERS, nn.BatchNorm1d, nn.BatchNorm2d)


class Unprunable(Exception):
    """The channels of a group cannot be cut; the text says why: "pass GroupNorm, which ..."."""


def passing(node: Any, reading: bool) -> tuple[bool, bool]:
    """Say whether the channels meet another layer's output here, and whether that is certain.

    `node` is one of Torch-Pruning's graph; `reading` says whether the channels are what a layer
    reads there. Where it is not certain only a trial can tell. Raises Unprunable.
    """
    cuttable = is_cuttable(node.module)
    if node.type == OP.OUTPUT or (cuttable and not node.outputs and not reading):
        raise Unprunable("reach the output")
    if cuttable or node.type == OP.PRELU:
        return False, True
    if node.type == OP.CONCAT and node.grad_fn._saved_dim == 1:
        return True, _traced(node)
    if node.type in (OP.RESHAPE, OP.EXPAND):
        return False, False
    if node.type == OP.SLICE and node.module.dim in (2, 3):
        return False, True
    if node.type == OP.ELEMENTWISE and hasattr(node.grad_fn, "name"):
        return _passing_operation(node)
    raise _unprunable(node)


def passing_last(node: Any, reading: bool) -> tuple[bool, bool]:
    """Say the same of neurons, which are the last dim of [B, N, C]: there a trial must tell.

    What works on a dim by its number, or moves dims, may do either to them. Raises Unprunable where
    they reach the output or pass a layer that has an entry for each, or mixes them.
    """
    if attends(node):
        raise Unprunable("are those of heads, which leave whole")
    try:
        return passing(node, reading)[0], False
    except Unprunable:
        if node.type not in MOVES:
            raise
    return node.type == OP.CONCAT, False


def ahead(node: Any) -> Iterator[Any]:
    """Yield the nodes from one of a layer up to the next layers, these left out.

    It is cheap where Torch-Pruning's own list of all that is coupled to a layer is not.
    """
    waiting, seen = [node], set()
    while waiting:
        current = waiting.pop()
        if current in seen or (current is not node and isinstance(current.module, READERS)):
            continue
        seen.add(current)
        waiting += current.outputs
        yield current


def attends(node: Any) -> bool:
    """Say whether a node is part of what an attention computes between its layers."""
    named = node.type == OP.ELEMENTWISE and hasattr(node.grad_fn, "name")
    return named and _operation(node).startswith(ATTENDING)


def is_cuttable(module: nn.Module) -> bool:
    """Say whether a module has entries for each channel and can do with fewer."""
    slopes = isinstance(module, nn.PReLU) and module.num_parameters > 1
    return slopes or isinstance(module, LAYERS)


def reads(item: Any) -> bool:
    """Say whether an item removes a layer's inputs (True) or its outputs."""
    return bool(item.dep.handler.__name__ == "prune_in_channels")


def _passing_operation(node: Any) -> tuple[bool, bool]:
    operation = _operation(node)
    if operation in CHANNELWISE or (operation == "T" and not node.inputs):
        return False, True
    if operation in SUMS:
        return len(node.inputs) > 1, _traced(node)
    if operation in GATES:
        return False, _traced(node)
    if operation in POOLS and _spatial(node.grad_fn):
        return False, True
    if operation in RANKS and _spatial(node.grad_fn):
        return False, False
    if operation == "ConstantPadNd" and not any(node.grad_fn._saved_pad[4:]):
        return False, True
    raise _unprunable(node)


def _unprunable(node: Any) -> Unprunable:
    """Name the module, or else autograd's operation, that a node stands for."""
    kind = type(node.module)
    if kind.__module__.startswith("torch_pruning"):
        name = _operation(node) if hasattr(node.grad_fn, "name") else "an operation of the input"
    else:
        name = kind.__name__
    if isinstance(node.module, nn.LayerNorm):
        return Unprunable(f"pass {name}, which averages over all of them, silent ones too")
    return Unprunable(f"pass {name}, which cannot be cut")


def _operation(node: Any) -> str:
    """Return autograd's name of an operation: "Add", "Permute", ..."""
    name: str = node.grad_fn.name().partition("Backward")[0]
    return name


def _traced(node: Any) -> bool:
    return all(function is not None for function, _ in node.grad_fn.next_functions)


def _spatial(function: Any) -> bool:
    """Say whether an operation works on dims behind the channels only."""
    saved = getattr(function, "_saved_dim", ())
    rank = len(getattr(function, "_saved_self_sym_sizes", ()))
    dims = saved if isinstance(saved, tuple) else (saved,)
    return bool(dims) and all(_positive(dim, rank) > 1 for dim in dims)


def _positive(dim: int, rank: int) -> int:
    """Return a saved dim counted from the front; autograd saves -1 as 2^64 - 1."""
    return dim - 2**64 + rank if dim >= 2**63 and rank else dim
