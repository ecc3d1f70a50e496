"""One replicate of a retraining arm, from its start to its files."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stages.data.images import Prepared
from stages.files import read_json, write_rows
from stages.models import compact
from stages.params.compute import Compute
from stages.params.recipe import Recipe
from stages.schedules.curve import load_curve
from stages.training.fit import end, fit
from stages.training.loop import Run
from stages.training.optimizer import SGD
from stages.training.order import RETRAIN
from stages.training.precision import placed
from stages.training.start import start


@dataclass(frozen=True)
class ArmFiles:
    """Where an arm's pruned networks and its curve are, and what it shares with every other arm."""

    pruned: Path
    curve: Path
    recipe: Recipe
    compute: Compute
    seed: int

    @property
    def label(self) -> str:
        """Return the method and schedule, for progress bars."""
        return f"{self.curve.parent.name} {self.curve.name}"


def retrain(
    place: Path,
    arm: ArmFiles,
    number: int,
    data: Prepared,
    loaded: Callable[[], None],
    turn: int = 1,
) -> None:
    """Retrain replicate `number` to the end; its files and its progress are in `place`.

    `loaded` is called when all inputs are loaded. `turn` counts the rounds of iterative pruning;
    each draws its own data order.
    """
    name = f"replicate_{number}"
    seed = arm.seed + number
    curve, about = load_curve(arm.curve / "curve.safetensors")
    scale = arm.curve / f"{name}.json"
    if scale.exists():
        curve = replace(curve, lr=curve.lr * read_json(scale)["lr_scale"])
    begin = start(about["start"], arm.pruned, name, arm.curve / f"{name}.safetensors", seed)
    spec = compact.read_spec(arm.pruned / "networks" / f"{name}.safetensors")
    loaded()
    device = data.mean.device
    network = placed(begin.network, device, arm.compute)
    masks = {key: mask.to(device) for key, mask in begin.masks.items()}
    recipe = arm.recipe
    optimizer = SGD(network, recipe.weight_decay, recipe.nesterov, masks, begin.velocity)
    stream = RETRAIN + turn - 1
    run = Run(network, optimizer, data, recipe, curve, seed, stream, masks, arm.compute)
    record = fit(run, place, arm.label, number)
    compact.save(place / "last.safetensors", network, spec)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in record.selected.items()})
    compact.save(place / "selected.safetensors", network, spec)
    end(place)
    write_rows(place / "history.csv", record.history)
