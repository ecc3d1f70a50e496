"""Which GPUs there are to share, without importing a library that knows."""

import os
import subprocess

from stages.pipeline.fault import Fault
from stages.runner.slots import DEVICES

QUERY = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")


def gpus(text: str) -> list[str] | None:
    """Return the GPUs that an option names: `all` that are visible, `none`, or as in `0,2`.

    None where it is `all` and none are known: a stage may find one that is not NVIDIA's.
    """
    if text == "none":
        return []
    there = visible()
    if text == "all":
        return there or None
    chosen = [part.strip() for part in text.split(",")]
    if len(set(chosen)) < len(chosen) or set(chosen) - set(there):
        known = ", ".join(there) or "none"
        raise Fault(
            f"--gpus is {text!r}; it should be all, none, or some of these, each once: {known}"
        )
    return chosen


def visible() -> list[str]:
    """Return the GPUs that CUDA would see: their numbers, or what the environment calls them."""
    named = os.environ.get(DEVICES)
    if named is not None:
        return [part.strip() for part in named.split(",") if part.strip() not in ("", "-1")]
    try:
        ended = subprocess.run(QUERY, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return ended.stdout.split() if ended.returncode == 0 else []
