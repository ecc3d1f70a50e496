"""All that defines an arm, as one file: whoever wrote it, retraining depends on its bytes alone."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pipeline.params import parse
from stages.retraining.technique import Technique
from stages.schedules.rates import Rates, rates_in
from stages.schedules.starts import Start

FILE = "plan.safetensors"
REWOUND = "rewound"
TEACHER = "teacher"


@dataclass(frozen=True, eq=False)
class Plan:
    """An arm: the weights it starts from, its learning rate and momentum at every step.

    `curve` names the learning-rate curve. `scale` multiplies the learning rates of each replicate
    where the curve is adaptive, and is empty where it is not. A rewinding arm starts from the dense
    network at the end of epoch `rewound_epoch` of `dense_epochs`; None for the others. The
    file holds what of `technique` is not at its default: a new key leaves other arms' bytes alone.
    `rounds` are the epochs of each round of pruning where these share `rates`, one after the other;
    it is empty where every round has all of them.
    """

    start: Start
    curve: str
    rates: Rates
    dense_epochs: int
    rewound_epoch: int | None = None
    scale: tuple[float, ...] = ()
    technique: Technique = field(default_factory=Technique)
    rounds: tuple[int, ...] = ()

    @property
    def adaptive(self) -> bool:
        """Whether each replicate scales the learning rates by how far pruning moved it."""
        return bool(self.scale)

    @property
    def keeps_state(self) -> bool:
        """Whether the optimizer begins with the slots of the dense run's checkpoint."""
        return self.technique.keeps_state(self.start)

    @property
    def checkpoint_epoch(self) -> int | None:
        """The dense epoch whose checkpoint the arm needs, if any."""
        where = self.start, self.rewound_epoch, self.dense_epochs
        return self.technique.checkpoint_epoch(*where)

    @property
    def epochs(self) -> float:
        """Return the epochs of a round, on average where rounds share a budget; whole if it is."""
        whole, over = divmod(self.rates.epochs, len(self.rounds) or 1)
        return self.rates.epochs / len(self.rounds) if over else whole

    def of_round(self, number: int) -> Rates:
        """Return the rates of a round of pruning, counted from 1."""
        if not self.rounds:
            return self.rates
        return self.rates.part(sum(self.rounds[: number - 1]), sum(self.rounds[:number]))

    def scale_of(self, replicate: int) -> float:
        """Return what a replicate multiplies the learning rates by."""
        return self.scale[replicate] if self.scale else 1.0

    def rates_of(self, replicate: int) -> Rates:
        """Return the rates of a replicate."""
        return scaled(self.rates, self.scale_of(replicate))

    def digest_of(self, replicate: int) -> str:
        """Return a digest of what one replicate reads: the scales of others take no part."""
        about = [_settings(replace(self, scale=())), self.scale_of(replicate)]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        digest.update(self.rates.lr.tobytes() + self.rates.momentum.tobytes())
        return digest.hexdigest()


class _About(Technique):
    """What the metadata of the file holds."""

    start: Start
    curve: str
    steps_per_epoch: int
    dense_epochs: int
    rewound_epoch: int | None
    scale: tuple[float, ...]
    rounds: tuple[int, ...] = ()


def in_turn(rates: Rates, factors: Sequence[float]) -> Rates:
    """Return the same rates once for each factor, learning rates multiplied by it."""
    lr = np.concatenate([rates.lr * factor for factor in factors])
    return replace(rates, lr=lr, momentum=np.tile(rates.momentum, len(factors)))


def scaled(rates: Rates, scale: float) -> Rates:
    """Return rates whose learning rates are multiplied by a number; 1 changes no bit."""
    return replace(rates, lr=rates.lr * scale)


def save_plan(folder: Path, plan: Plan) -> None:
    """Write a plan into the folder of its arm."""
    arrays = {"lr": plan.rates.lr, "momentum": plan.rates.momentum}
    save_arrays(folder / FILE, arrays, _settings(plan))


def load_plan(folder: Path) -> Plan:
    """Read the plan in the folder of an arm; a Fault when it is missing, damaged or none."""
    path = folder / FILE
    about: _About = parse(_About, read_meta(path), file=path)
    rates = rates_in(path, load_arrays(path), about.steps_per_epoch, least=0)
    where = about.dense_epochs, about.rewound_epoch
    if about.rounds and sum(about.rounds) != rates.epochs:
        raise Fault(f"{path}: {rates.epochs} epochs for rounds of {list(about.rounds)}")
    own = about.as_technique()
    return Plan(about.start, about.curve, rates, *where, about.scale, own, about.rounds)


def rewound_file(folder: Path, replicate: int) -> Path:
    """Return where an arm's folder holds the checkpoint of a replicate's dense run."""
    return folder / REWOUND / f"replicate_{replicate}.safetensors"


def teacher_file(folder: Path, replicate: int) -> Path:
    """Return where an arm's folder holds the dense network of a replicate that needs it."""
    return folder / TEACHER / f"replicate_{replicate}.safetensors"


def _settings(plan: Plan) -> dict[str, Any]:
    return {
        "start": plan.start,
        "curve": plan.curve,
        "steps_per_epoch": plan.rates.steps_per_epoch,
        "dense_epochs": plan.dense_epochs,
        "rewound_epoch": plan.rewound_epoch,
        "scale": list(plan.scale),
        **({"rounds": list(plan.rounds)} if plan.rounds else {}),
        **plan.technique.changed(),
    }
