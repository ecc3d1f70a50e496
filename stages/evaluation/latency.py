"""How long networks take to predict: the median and the spread of many forward passes."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stages.networks.exporting import can_run, write_onnx

WARM_UP = 5
FEWEST, MOST = 20, 300
ENOUGH_SECONDS = 1.0
Call = Callable[[], object]


@dataclass(frozen=True)
class Latency:
    """Milliseconds of a forward pass of `batch` images: quartiles over n passes.

    `times_faster` is the median over turns of the first network's time over this one's.
    """

    network: str
    engine: str
    batch: int
    first_quartile: float
    median: float
    third_quartile: float
    n: int
    times_faster: float


def latencies(
    networks: Mapping[str, nn.Module],
    shape: Sequence[int],
    batches: Sequence[int],
    device: torch.device,
    threads: int,
) -> list[Latency]:
    """Time networks by name on random images of `shape` [C, H, W], by torch and by onnxruntime.

    The networks take turns, so that what else the machine does slows all alike. onnxruntime takes
    part on a CPU where it is installed; it has `threads` threads, torch those of the process.
    """
    found = []
    for batch in batches:
        images = torch.rand(batch, *shape, generator=torch.Generator().manual_seed(batch))
        calls = {name: _torch(network, images.to(device)) for name, network in networks.items()}
        found += _rows("torch", batch, in_turns(calls))
    if device.type == "cpu" and can_run():
        found += _onnxruntime(networks, shape, batches, threads)
    return found


def in_turns(calls: Mapping[str, Call]) -> dict[str, list[float]]:
    """Return the seconds that each call took, made in turns after some to warm up.

    Each is made MOST times, or FEWEST and then until all have taken ENOUGH_SECONDS together.
    """
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(MOST):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - begun)
        if number + 1 >= FEWEST and sum(map(sum, taken.values())) > ENOUGH_SECONDS:
            break
    return taken


def _rows(engine: str, batch: int, taken: Mapping[str, list[float]]) -> list[Latency]:
    first, *_ = (np.array(seconds) for seconds in taken.values())
    rows = []
    for name, seconds in taken.items():
        low, median, high = (1000 * np.quantile(seconds, (0.25, 0.5, 0.75))).tolist()
        faster = float(np.median(first / seconds))
        rows.append(Latency(name, engine, batch, low, median, high, len(seconds), faster))
    return rows


def _torch(network: nn.Module, images: torch.Tensor) -> Call:
    network = network.eval()
    module = torch.get_device_module(images.device)

    @torch.inference_mode()
    def call() -> None:
        network(images)
        module.synchronize()

    return call


def _onnxruntime(
    networks: Mapping[str, nn.Module], shape: Sequence[int], batches: Sequence[int], threads: int
) -> list[Latency]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    sessions = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, network in networks.items():
            target = Path(folder, f"{name}.onnx")
            write_onnx(network.eval(), torch.zeros(2, *shape), target)
            sessions[name] = onnxruntime.InferenceSession(
                target, options, providers=["CPUExecutionProvider"]
            )
    found = []
    for batch in batches:
        images = np.random.default_rng(batch).random((batch, *shape), dtype=np.float32)
        calls = {
            name: lambda session=session, images=images: session.run(None, {"images": images})
            for name, session in sessions.items()
        }
        found += _rows("onnxruntime", batch, in_turns(calls))
    return found
