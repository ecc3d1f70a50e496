"""The machine that a table was made on."""

import os
import platform
import shlex
import sys
from pathlib import Path

import torch

from tests.benchmarks.child import processors
from tests.benchmarks.setting import Device, bfloat16_instructions

BUSY = 0.25


def header(device: Device) -> str:
    """Name processor and its vector instructions, GPU, load, versions and the command; two lines.

    The instructions are torch's widest vectors and those for bfloat16, if there are any.
    """
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    instructions = [torch.backends.cpu.get_cpu_capability(), *bfloat16_instructions()]
    parts = [f"{_processor()} ({' '.join(instructions)}), {processors()} cores"]
    if device is Device.cuda:
        parts.append(torch.cuda.get_device_name())
    parts += [f"load {load}", f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    return f"{'; '.join(parts)}\npython -m tests.benchmarks {shlex.join(sys.argv[1:])}".rstrip()


def warn_if_busy() -> None:
    """Say on stderr that others use the machine, if its load average tells so."""
    load, cores = os.getloadavg()[0], processors()
    if load > BUSY * cores:
        print(
            f"load average is {load:.2f} on {cores} cores: contenders of several threads suffer "
            "from a busy machine most, so ratios to stock come out too high",
            file=sys.stderr,
        )


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
