"""The ranks of a replicate: the processes that train it together, one a device.

All run the same code: each trains on its share of every batch, and the leader, rank 0, writes the
files. A replicate of one device is its own leader and never gets to torch.distributed.

The loop that starts and watches replicates starts ranks as well, not torchrun's agent: that would
watch the same processes a second time, and where one of them dies it prints pages and may name the
broken connection of another as the cause.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import torch
from torch import Tensor, distributed

from stages.pipeline.fault import Fault

LEADER = 0
PATIENCE = timedelta(days=7)
"""How long a rank waits for another: whoever started them ends those that wait in vain."""
GRACE_SECONDS = 2.0
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
P = ParamSpec("P")


@dataclass(frozen=True)
class Rank:
    """One of the `devices` ranks of a replicate; they meet at a file that is theirs alone."""

    number: int
    devices: int
    meeting: Path


def ranks_of(devices: int, meeting: Path) -> list[Rank]:
    """Return the ranks of a replicate."""
    return [Rank(number, devices, meeting) for number in range(devices)]


@contextmanager
def joined(rank: Rank) -> Iterator[None]:
    """Be a rank while the block runs: it begins when all ranks are there, and ends with them.

    Where one is lost, the others fail too. They wait before they say so: the one that started them
    knows which it was, and ends them.
    """
    if rank.devices == 1:
        yield
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK)  # all ranks are on this machine
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{rank.meeting}",  # no port that another study could have taken
        rank=rank.number,
        world_size=rank.devices,
        timeout=PATIENCE,
    )
    try:
        yield
        from_leader()
    except Fault:
        raise
    except Exception:
        time.sleep(GRACE_SECONDS)
        raise
    distributed.destroy_process_group()


def devices() -> int:
    """Return how many ranks train this replicate."""
    return distributed.get_world_size() if _together() else 1


def number() -> int:
    """Return which rank this process is, from 0."""
    return distributed.get_rank() if _together() else LEADER


def leads() -> bool:
    """Whether this process writes the files of its replicate."""
    return number() == LEADER


def by_leader(function: Callable[P, None]) -> Callable[P, None]:
    """Return a function that does its work on the leader, and nothing on other ranks."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if leads():
            function(*args, **kwargs)

    return run


def from_leader(value: Any = None) -> Any:
    """Return the leader's `value`, which JSON can hold, on every rank, when it comes to this call.

    torch's own broadcast of objects would unpickle what it receives.
    """
    if devices() == 1:
        return value
    text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    length = torch.tensor([len(text)])
    distributed.broadcast(length, LEADER)
    received = text if leads() else torch.zeros(int(length), dtype=torch.uint8)
    distributed.broadcast(received, LEADER)
    return json.loads(bytes(received.tolist()))


@torch.no_grad()
def copy_leader(tensors: Iterable[Tensor]) -> None:
    """Give every rank the leader's values of these tensors."""
    if devices() == 1:
        return
    for tensor in tensors:
        sent = tensor.contiguous()
        distributed.broadcast(sent, LEADER)
        tensor.copy_(sent)


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """Replace every tensor by its mean over the ranks: the same bits on all.

    One sum over one buffer. torch's DistributedDataParallel sums while the backward pass still
    runs, but orders its buffers anew after the first step: from three ranks on, a resumed run would
    add in another order and end at other bits. It also imports torch's compiler, for 2 s a process.
    """
    if devices() == 1:
        return
    whole = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(whole)
    whole /= devices()
    parts = torch.split(whole, [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
