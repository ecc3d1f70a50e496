"""How a training step computes: what a row of a table is about."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import torch


class Device(StrEnum):
    """Where networks compute."""

    cpu = "cpu"
    cuda = "cuda"


@dataclass(frozen=True)
class Setting:
    """Precision, memory format, and whether a step is one CUDA graph; by default torch's own."""

    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    graph: bool = False

    def __str__(self) -> str:
        named = {"channels_last": self.channels_last, "graph": self.graph}
        return " ".join([self.precision, *(name for name, on in named.items() if on)])

    @property
    def memory_format(self) -> torch.memory_format:
        """Return the layout of weights and activations."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context of a forward pass; a graph keeps no casts from pass to pass."""
        half = self.precision == "bfloat16"
        return torch.autocast(device.type, torch.bfloat16, half, cache_enabled=not self.graph)


def settings(device: Device) -> list[Setting]:
    """Return the settings whose speed is claimed on a device."""
    fast = [Setting(channels_last=True), Setting("bfloat16", channels_last=True)]
    if device is Device.cpu:
        return [Setting(), *fast]
    graphs = [Setting(s.precision, s.channels_last, graph=True) for s in fast]
    return [Setting(), *fast, *graphs]
