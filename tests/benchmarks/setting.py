"""How a training step computes: what a row of a table is about."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import torch

from stages.replicates.environment import BFLOAT16


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


def bfloat16_instructions() -> list[str]:
    """Return the processor's instructions for bfloat16, by torch's names."""
    able = torch.cpu.get_capabilities()
    return [name for name in BFLOAT16 if able.get(name)]


def has_bfloat16(device: Device) -> bool:
    """Whether a device computes in bfloat16, and does not emulate it."""
    if device is Device.cuda:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(bfloat16_instructions())


def settings(device: Device) -> list[Setting]:
    """Return the settings whose speed is claimed on a device, bfloat16 only where it has that."""
    able = has_bfloat16(device)
    return [setting for setting in _claimed(device) if able or setting.precision == "float32"]


def _claimed(device: Device) -> list[Setting]:
    fast = [Setting(channels_last=True), Setting("bfloat16", channels_last=True)]
    if device is Device.cpu:
        return [Setting(), *fast]
    graphs = [Setting(s.precision, s.channels_last, graph=True) for s in fast]
    return [Setting(), *fast, *graphs]
