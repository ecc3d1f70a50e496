"""The device and settings that a result's last bits depend on."""

import os
from typing import Any

import torch

from stages.fault import Fault
from stages.params.compute import Compute


def activate(compute: Compute) -> torch.device:
    """Make this process compute as the settings say, deterministically; return its device."""
    torch.set_num_threads(compute.threads)
    name = compute.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not torch.cuda.is_available():
        raise Fault(
            f"params.yaml: compute.device is {name!r}; no CUDA device here, use cpu or auto"
        )
    if name != "cpu" or compute.threads > 1:  # one CPU thread has nothing to race, and this is slow
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    return torch.device(name)


def describe(compute: Compute, device: torch.device) -> dict[str, Any]:
    """Return what an environment.json holds; equal environments give equal bits."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "instructions": None if on_gpu else torch.backends.cpu.get_cpu_capability(),
        "threads": compute.threads,
        "torch": torch.__version__,
        "precision": "float32",
    }
