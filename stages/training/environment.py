"""The device and settings that a result's last bits depend on."""

import os
from typing import Any

import numpy as np
import torch

from stages.fault import Fault
from stages.params.compute import Compute


def activate(compute: Compute) -> torch.device:
    """Make this process compute as the settings say, deterministically; return its device."""
    torch.set_num_threads(compute.threads)
    name = compute.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    count = 0 if name == "cpu" else torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise Fault(
            f"params.yaml: compute.device is {name!r}; this machine has {count} CUDA devices, "
            "use cpu or auto"
        )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # as torch.use_deterministic_algorithms(True), which imports torch's compiler and takes 1.5 s
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32
    torch.backends.cuda.matmul.allow_tf32 = False
    return device


def describe(compute: Compute, device: torch.device) -> dict[str, Any]:
    """Return what an environment.json holds; equal environments give equal bits."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "instructions": None if on_gpu else torch.backends.cpu.get_cpu_capability(),
        "threads": compute.threads,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "precision": "float32",
    }
