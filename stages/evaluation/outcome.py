"""What a training stage leaves to be scored, one file per replicate: logits, history, size."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stages.evaluation.moved import Moved
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pipeline.params import printable
from stages.training.divergence import Divergence

SPLITS = ("validation", "test")
DIVERGED = "diverged.json"
"""What lies in the place of a replicate's networks where its training diverged."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One replicate of what a stage trained or pruned, measured on the files that it saved.

    `logits` are float32 [N, classes] by network and split; a split without images is missing.
    `history` has a float64 column [epochs] by name (see `training.history`), none where nothing was
    trained. `before_macs` are the forward MACs per training image that were spent before the first
    step, in all rounds. `round_macs` are the MACs of the network that each round of pruning left.
    `file_bytes` is the size of the saved network's file, and `moved` how far retraining moved it.
    Where training `diverged` there are no logits and no file, and history and rounds end there.
    """

    logits: Mapping[str, Mapping[str, np.ndarray]]
    parameters: int
    nonzero: int
    macs: int
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    lr_scale: float = 1.0
    round_macs: tuple[int, ...] = ()
    file_bytes: int | None = None
    moved: Moved | None = None
    diverged: Divergence | None = None
    before_macs: float = 0.0


def save_outcome(path: Path, outcome: Outcome) -> None:
    """Write an outcome as safetensors."""
    arrays = {
        f"logits/{network}/{split}": array
        for network, splits in outcome.logits.items()
        for split, array in splits.items()
    }
    arrays |= {f"history/{name}": column for name, column in outcome.history.items()}
    save_arrays(path, arrays, _settings(outcome))


def load_outcome(path: Path) -> Outcome:
    """Read an outcome; a Fault when the file is missing, damaged or none."""
    logits: dict[str, dict[str, np.ndarray]] = {}
    history = {}
    settings = read_meta(path)
    for key, array in load_arrays(path).items():
        kind, _, name = key.partition("/")
        if kind == "history":
            history[name] = array
        else:
            network, _, split = name.partition("/")
            logits.setdefault(network, {})[split] = array
    try:
        return Outcome(
            **{
                **settings,
                "round_macs": tuple(settings["round_macs"]),
                "moved": Moved(**settings["moved"]) if settings["moved"] else None,
                "diverged": Divergence.of(settings.get("diverged")),
                "logits": logits,
                "history": history,
            }
        )
    except (KeyError, TypeError) as error:
        raise Fault(f"{path}: not an outcome of this version ({printable(error)})") from None


def read_divergence(path: Path) -> Divergence | None:
    """Read from an outcome where training diverged, without the rest of it."""
    return Divergence.of(read_meta(path).get("diverged"))


def read_outcomes(folder: Path, replicates: int) -> list[Outcome]:
    """Read the outcomes of all replicates in a folder."""
    return [load_outcome(outcome_file(folder, number)) for number in range(replicates)]


def outcome_file(folder: Path, replicate: int) -> Path:
    """Return where a folder of outcomes holds that of a replicate."""
    return folder / f"replicate_{replicate}.safetensors"


def _settings(outcome: Outcome) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "parameters": outcome.parameters,
        "nonzero": outcome.nonzero,
        "macs": outcome.macs,
        "lr_scale": outcome.lr_scale,
        "round_macs": list(outcome.round_macs),
        "file_bytes": outcome.file_bytes,
        "moved": asdict(outcome.moved) if outcome.moved else None,
    }
    if outcome.diverged:
        settings["diverged"] = asdict(outcome.diverged)
    return settings | ({"before_macs": outcome.before_macs} if outcome.before_macs else {})
