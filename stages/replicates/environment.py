"""The device and settings that a result's last bits depend on."""

import ctypes
import os
from typing import Any

import numpy as np
import torch

from stages.pipeline.fault import Fault
from stages.replicates import ranks
from stages.replicates.settings import Compute

BFLOAT16 = ("amx_bf16", "avx512_bf16", "bf16", "sve_bf16")
"""Instructions for bfloat16, by torch's names."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT = 32 << 20
"""Bytes: the most that glibc takes for the latter."""


def activate(compute: Compute) -> torch.device:
    """Make this process compute as the settings say; return its device."""
    torch.set_num_threads(compute.threads)
    _keep_freed_memory()
    device = _device(compute.device)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # as torch.use_deterministic_algorithms, which imports torch's compiler and takes 1.5 s
    torch.set_deterministic_debug_mode("error" if compute.deterministic else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not compute.deterministic
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32
    torch.backends.cuda.matmul.allow_tf32 = False
    return device


def describe(compute: Compute, device: torch.device) -> dict[str, Any]:
    """Return what an environment.json holds; equal environments give equal bits.

    Where `deterministic` is false not even equal environments do.
    """
    on_gpu = device.type == "cuda"
    several = {"devices": ranks.devices()} if ranks.devices() > 1 else {}
    return {
        **several,
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "instructions": None if on_gpu else _instructions(compute),
        "threads": compute.threads,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "precision": compute.precision,
        "channels_last": compute.channels_last,
        "deterministic": compute.deterministic,
    }


def _keep_freed_memory() -> None:
    """Let glibc, where it is the C library, keep what is freed for the tensors of the next batch.

    It gives the memory of every batch back to the system otherwise, which clears the pages of the
    next one anew: a tenth of a training step on a CPU.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    count = 0 if name == "cpu" else torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise Fault(
            f"params.yaml: compute.device is {name!r}; this machine has {count} CUDA devices, "
            "use cpu or auto"
        )
    if device.type == "cuda" and ranks.devices() > 1:
        if ranks.devices() > count:
            raise Fault(
                f"params.yaml: train.devices is {ranks.devices()}; this machine has {count} CUDA "
                "devices, it should be no more"
            )
        device = torch.device("cuda", ranks.number())
    if device.index is not None:
        torch.cuda.set_device(device)
    return device


def _instructions(compute: Compute) -> str:
    """Name the widest vectors, and in bfloat16 the instructions for it, which some CPUs lack."""
    vectors = torch.backends.cpu.get_cpu_capability()
    if compute.precision == "float32":
        return vectors
    able = torch.cpu.get_capabilities()
    return " ".join([vectors, *(name for name in BFLOAT16 if able.get(name))])
