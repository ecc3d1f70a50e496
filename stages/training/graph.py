"""A training step as a CUDA graph: launched as one, not kernel by kernel."""

import random
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stages.training.errors import UNREPEATABLE

WARM_UP = 3
Launch = Callable[[], None]


def captured(step: Launch, state: Iterable[Tensor], device: torch.device) -> Launch:
    """Return what replays `step`; where it cannot be captured `step` itself, with a line on stderr.

    `state` are the tensors that a step changes; they come back as they were. A replay gives the
    bits of the step, which must neither draw random numbers nor wait for the device, nor depend on
    anything that it keeps in Python. Errors that are not of the capture are raised: a full memory,
    an algorithm that does not repeat.
    """
    changed = list(state)
    tensors = [tensor.detach() for tensor in changed]
    before = [tensor.clone() for tensor in tensors]

    def rehearse() -> None:
        step()
        torch._foreach_copy_(tensors, before)

    module = torch.get_device_module(device)
    try:
        with module.stream(module.current_stream()):  # which a failing capture may leave another
            _warm_up(rehearse, device)
            return record(step, device)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if UNREPEATABLE in str(error):
            raise
        reason = str(error).partition("\n")[0]
        print(f"compute.graph: steps run one kernel at a time; {reason}", file=sys.stderr)
        torch._foreach_copy_(tensors, before)
        for tensor in changed:
            tensor.grad = None
        return step


def record(step: Launch, device: torch.device) -> Launch:
    """Capture one call of `step`, which computes nothing yet."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        step()
    return graph.replay


def _warm_up(step: Launch, device: torch.device) -> None:
    """Let libraries choose and allocate, beside the stream of all else, as capture will do."""
    module = torch.get_device_module(device)
    aside, current = module.Stream(), module.current_stream()
    chance = _generators(device)
    aside.wait_stream(current)
    with module.stream(aside):
        for _ in range(WARM_UP):
            step()
    current.wait_stream(aside)
    if chance != _generators(device):
        raise RuntimeError("the network draws random numbers, as dropout does")


def _generators(device: torch.device) -> list[Any]:
    """Return the states of all generators that a network may draw from, comparable."""
    tensors = [torch.get_rng_state()]
    if device.type == "cuda":
        tensors.append(torch.cuda.get_rng_state(device))
    name, *numbers = np.random.get_state(legacy=True)
    return [
        *(tensor.tolist() for tensor in tensors),
        random.getstate(),
        [name, *(np.asarray(number).tolist() for number in numbers)],
    ]
