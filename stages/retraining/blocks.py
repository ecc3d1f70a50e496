"""The blocks of a network: in which order images pass them, what each takes and gives."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.networks.compact import Kept
from stages.pipeline.fault import Fault

IMAGES = 128
"""Images in one forward pass."""
LISTS = (nn.Sequential, nn.ModuleList)
"""Modules that stand for those in them; a class derived from one is a module of its own."""


def parts(whole: Tensor, size: int = IMAGES) -> Iterator[Tensor]:
    """Yield a tensor so many rows at a time."""
    for first in range(0, len(whole), size):
        yield whole[first : first + size]


def blocks(network: nn.Module, images: Tensor) -> list[str]:
    """Return the network's own modules that have parameters, in the order of their calls.

    A Sequential or a ModuleList stands for its modules, to any depth. A Fault where one is not
    called once, with one tensor that gives one; a Sequential of such is a block as a whole.
    """
    calls: list[str] = []
    odd: set[str] = set()

    def called(name: str, module: nn.Module, given: Any, output: Any) -> None:
        calls.append(name)
        if len(given) != 1 or not all(isinstance(each, Tensor) for each in (*given, output)):
            odd.add(name)

    handles = [m.register_forward_hook(partial(called, n)) for n, m in network.named_modules()]
    try:
        with torch.no_grad():
            network(images[:2].clone())
    finally:
        for handle in handles:
            handle.remove()
    found = _units(network, "", lambda name: name not in odd and calls.count(name) == 1)
    for name in found:
        if name in odd:
            raise Fault(f"objective: the block {name} does not take one tensor and give one")
        if calls.count(name) != 1:
            times = f"{calls.count(name)} times in a forward pass"
            raise Fault(f"objective: the block {name} is called {times}; it should be once")
    return sorted(found, key=calls.index)


def without_blocks(network: nn.Module, arms: Iterable[str], shape: Sequence[int]) -> Iterator[str]:
    """Yield a line for each arm of a network, for images of `shape`, whose blocks are none."""
    for name in arms:
        try:
            blocks(network.eval(), torch.zeros(2, *shape))
        except Fault as fault:
            yield f"retrain.schedules.{name}.{fault}"


def seen(network: nn.Module, name: str, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a block takes and gives, [images, ...] each, where these images pass.

    Copies, since the block itself or what comes after it may work in place.
    """
    taken: list[Tensor] = []
    outputs: list[Tensor] = []
    block = network.get_submodule(name)
    handles = (
        block.register_forward_pre_hook(lambda _, given: taken.append(given[0].clone())),
        block.register_forward_hook(lambda _, given, output: outputs.append(output.clone())),
    )
    with torch.no_grad():
        for batch in parts(images):
            network(batch.clone())
    for handle in handles:
        handle.remove()
    return torch.cat(taken), torch.cat(outputs)


def marked(dense: nn.Module, kept: Kept) -> nn.Module:
    """Return a copy of a network whose layers give 1 in channels that are kept, and 0 elsewhere.

    What is between layers passes the marks on, so that they arrive where blocks begin and end.
    """
    network = copy.deepcopy(dense)
    for name, module in network.named_modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        if own and not any(True for _ in module.children()):
            dims = [kept.get(f"{name}.{leaf}", {}) for leaf, _ in own]
            index = next((each[0] for each in dims if 0 in each), None)
            module.register_forward_hook(partial(_mark, index))
    return network


def on_kept(whole: Tensor, marks: Tensor, shape: Sequence[int], name: str) -> Tensor:
    """Return a tensor of the dense network on the channels that a pruned one of `shape` has.

    `marks` are above 0 where a channel is kept. A Fault where they are not as many.
    """
    for axis in range(1, whole.ndim):
        if whole.shape[axis] != shape[axis]:
            others = [other for other in range(marks.ndim) if other != axis]
            index = (marks.amax(others) > 0).nonzero().flatten()
            if len(index) != shape[axis]:
                raise Fault(
                    f"objective: of the {whole.shape[axis]} channels of the block {name} "
                    f"{shape[axis]} are left, but which is known of {len(index)}"
                )
            whole = whole.index_select(axis, index)
    return whole


def _mark(index: np.ndarray | None, module: nn.Module, given: Any, output: Any) -> Tensor | None:
    if not isinstance(output, Tensor):
        return None
    marks = torch.ones_like(output)
    if index is None:
        return marks
    axis = output.ndim - 1 if isinstance(module, nn.Linear | nn.LayerNorm) else 1
    gone = np.setdiff1d(np.arange(output.shape[axis]), index)
    return marks.index_fill(axis, torch.from_numpy(gone).to(output.device), 0)


def _units(module: nn.Module, prefix: str, fits: Callable[[str], bool]) -> list[str]:
    """Return the names of a module's children that have parameters, lists replaced by theirs."""
    found = []
    for leaf, child in module.named_children():
        if _has_parameters(child):
            name = f"{prefix}{leaf}"
            inner = _units(child, f"{name}.", fits) if type(child) in LISTS else [name]
            found += [name] if fits(name) and not all(map(fits, inner)) else inner
    return found


def _has_parameters(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())
