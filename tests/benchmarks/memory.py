"""The case `memory-floor`: a training step against the time its activations take to move."""

import operator
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from stages.networks.building import build
from tests.benchmarks.ceiling import Ceiling
from tests.benchmarks.child import Child, Contender, Task, images_per_second, ready
from tests.benchmarks.ours import Ours
from tests.benchmarks.ratios import Pair, Row, alternate, compare
from tests.benchmarks.setting import Device, Setting, settings
from tests.benchmarks.workload import Workload

PASSES = 5
BUFFER = 2**30
COPIES = 20
COUNTED_MODULES = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU)
COUNTED_FUNCTIONS = (F.relu, torch.relu, operator.add, operator.iadd, torch.add)


def memory_floor(make: Callable[[], Workload], rounds: int) -> list[Row]:
    """Compare a step as one CUDA graph with its floor: bytes moved / the bandwidth of a copy."""
    graphs = [setting for setting in settings(Device.cuda) if setting.graph]
    return [row for setting in graphs for row in _measure(make, setting, rounds)]


def _measure(make: Callable[[], Workload], setting: Setting, rounds: int) -> list[Row]:
    makers: dict[str, Callable[[Workload], Contender]] = {
        "ours": partial(Ours, setting=setting, device=Device.cuda),
        "ceiling": partial(Ceiling, setting=setting, device=Device.cuda),
    }
    tasks = {name: [Task(make, made, "epoch", Device.cuda)] for name, made in makers.items()}
    workload, device = make(), torch.device("cuda")
    moved, batch = step_traffic(workload, setting, device), workload.recipe.batch_size
    with ready(tasks) as children:
        turns = {name: partial(_step_seconds, group, batch) for name, group in children.items()}
        turns["floor"] = partial(_floor_seconds, moved, device)
        values = alternate(turns, rounds, f"memory-floor {setting}")
    pairs = [Pair(name, "floor", "<= 1.50") for name in makers]
    return compare("memory-floor", str(setting), "s", values, pairs)


def _step_seconds(children: Sequence[Child], batch: int) -> float:
    return batch / images_per_second(children)


def _floor_seconds(moved: int, device: torch.device) -> float:
    return moved / copy_bandwidth(device)


class _Sizes(fx.Interpreter):
    """Runs a network operation by operation and sums the bytes of the outputs that count."""

    total = 0

    def run_node(self, n: fx.Node) -> Any:
        """Run one operation."""
        output = super().run_node(n)
        if _counts(n, self.submodules):
            self.total += output.numel() * output.element_size()
        return output


def activation_bytes(network: nn.Module, images: Tensor) -> int:
    """Return the bytes of what convolutions, BatchNorms, ReLUs and additions put out."""
    sizes = _Sizes(fx.symbolic_trace(network))
    sizes.run(images)
    return sizes.total


def traffic(network: nn.Module, images: Tensor) -> int:
    """Return the bytes a training step moves: 5 * the sum of the outputs of its operations.

    Each output of a convolution, BatchNorm, ReLU or addition is written and read once in the
    forward pass and read again in the backward pass; its gradient is written and read once. Not
    counted: weights, the images, the head, shortcuts, and that BatchNorm reads its input twice.
    """
    return PASSES * activation_bytes(network, images)


def step_traffic(workload: Workload, setting: Setting, device: torch.device) -> int:
    """Return the bytes that a step of the workload moves."""
    network = build(workload.spec, 0).to(device).to(memory_format=setting.memory_format)
    images = torch.zeros((workload.recipe.batch_size, *workload.data.shape), device=device)
    with torch.no_grad(), setting.autocast(device):
        return traffic(network, images.contiguous(memory_format=setting.memory_format))


def copy_bandwidth(device: torch.device) -> float:
    """Return bytes per second, read and written, of copies within a GPU."""
    source = torch.ones(BUFFER, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    torch.cuda.synchronize()
    start = time.monotonic()
    for _ in range(COPIES):
        target.copy_(source)
    torch.cuda.synchronize()
    return 2 * BUFFER * COPIES / (time.monotonic() - start)


def _counts(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], COUNTED_MODULES)
    return node.op == "call_function" and node.target in COUNTED_FUNCTIONS
