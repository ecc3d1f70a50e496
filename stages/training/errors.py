"""What torch raises where memory is full or an algorithm does not repeat, as one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stages.pipeline.fault import Fault

UNREPEATABLE = " does not have a deterministic implementation"
"""What torch's error has after an operation's name, where algorithms must be deterministic."""


@contextmanager
def explained(batch_size: str = "train.recipe.batch_size") -> Iterator[None]:
    """Turn torch's errors of memory and of determinism into a Fault that names the key."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        size = re.search(r"Tried to allocate ([\d.]+ \w+)", str(error))
        raise Fault(
            f"the GPU's memory is full{f', {size[1]} more did not fit' if size else ''}; set "
            f"AFTERPRUNE_WORKERS to fewer replicates at a time, or lower {batch_size}"
        ) from None
    except RuntimeError as error:
        operation, apart, _ = str(error).partition(UNREPEATABLE)
        if not apart:
            raise
        raise Fault(
            f"params.yaml: compute.deterministic is true; {operation} does not repeat to the bit, "
            "only false allows it"
        ) from None
