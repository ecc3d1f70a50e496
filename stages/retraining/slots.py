"""The optimizer's slots on their way from one round of pruning to the next."""

from pathlib import Path

import torch
from torch import Tensor

from stages.networks import compact
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pruning.step import since
from stages.replicates.ranks import by_leader
from stages.training.loop import Run

SLOTS = "optimizer.safetensors"


@by_leader
def save_slots(folder: Path, run: Run) -> None:
    """Write the state of a run's optimizer into the folder of its round."""
    arrays = {name: slot.cpu().numpy() for name, slot in run.optimizer.state().items()}
    save_arrays(folder / SLOTS, arrays)


def carried(before: Path, folder: Path, name: str) -> dict[str, Tensor]:
    """Return the state that the round in `before` left, cut as that in `folder` cut its network.

    `name` is the replicate's. Weights that are masked are the optimizer's own matter.
    """
    state = {key: torch.from_numpy(slot) for key, slot in load_arrays(before / SLOTS).items()}
    files = [each / "masks" / f"{name}.safetensors" for each in (before, folder)]
    if read_meta(files[0])["granularity"] == "weight":
        return state
    first, whole = (compact.nested(load_arrays(file)) for file in files)
    kept = since(first, whole)
    return compact.cut(state, {key: kept.get(key.partition("/")[2], {}) for key in state})
