"""A training step as a CUDA graph: launched as one, not kernel by kernel."""

import sys
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

WARM_UP = 3
Step = Callable[[], None]


def captured(step: Step, state: Iterable[Tensor], device: torch.device) -> Step:
    """Return what replays `step`; where it cannot be captured `step` itself, with a line on stderr.

    `state` are the tensors that a step changes; they come back as they were. A replay gives the
    bits of the step, which must neither draw random numbers nor wait for the device.
    """
    tensors = [tensor.detach() for tensor in state]
    before = [tensor.clone() for tensor in tensors]

    def rehearse() -> None:
        step()
        torch._foreach_copy_(tensors, before)

    try:
        _warm_up(rehearse, device)
        return record(step, device)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        print(f"compute.graph: steps run one kernel at a time; {reason}", file=sys.stderr)
        torch._foreach_copy_(tensors, before)
        return step


def record(step: Step, device: torch.device) -> Step:
    """Capture one call of `step`, which computes nothing yet."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        step()
    return graph.replay


def _warm_up(step: Step, device: torch.device) -> None:
    """Let libraries choose and allocate, beside the stream of all else, as capture will do."""
    module = torch.get_device_module(device)
    aside, current = module.Stream(), module.current_stream()
    chance = _generator(device)
    aside.wait_stream(current)
    with module.stream(aside):
        for _ in range(WARM_UP):
            step()
    current.wait_stream(aside)
    if not torch.equal(chance, _generator(device)):
        raise RuntimeError("the network draws random numbers, as dropout does")


def _generator(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
