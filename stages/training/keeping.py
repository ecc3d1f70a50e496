"""A replicate's result: computed in this process's environment, or taken from the finished ones."""

from collections.abc import Callable
from pathlib import Path

import torch

from stages.files import write_json
from stages.params.compute import Compute
from stages.training.environment import activate, describe
from stages.training.recovery import finished

Key = Callable[..., str]
Check = Callable[[], None]
Work = Callable[[Path, torch.device], None]


def kept(
    key: Key, check: Check, compute: Compute, number: int, environment: Path, work: Work
) -> Path:
    """Return the folder of replicate `number`'s result; `work(folder, device)` computes it.

    `key(number, environment=...)` digests all that it depends on, `check()` raises a Fault when any
    of it has changed. Replicate 0 writes the environment to the file `environment`.
    """
    device = activate(compute)
    about = describe(compute, device)
    if number == 0:
        write_json(environment, about)
    return finished(key(number, environment=about), lambda place: work(place, device), check)
