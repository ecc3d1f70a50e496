"""What the processes that time a study's networks found, put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from stages.pipeline.files import read_json
from stages.study.price import Speed


@dataclass(frozen=True)
class Speeds:
    """The speed of the dense network, and by method of what each round leaves.

    `pruning` has the seconds of pruning itself; `unknown` says by method why what it leaves is
    unknown, and timed as the dense network.
    """

    dense: Speed
    pruned: Mapping[str, Sequence[Speed]]
    pruning: Mapping[str, float]
    unknown: Mapping[str, str]


def together(folder: Path) -> Speeds:
    """Return the mean of what all processes found."""
    found = [read_json(path) for path in sorted(folder.glob("*.json"))]
    pruned = {
        name: [_mean([each["pruned"][name][turn] for each in found]) for turn in range(len(rounds))]
        for name, rounds in found[0]["pruned"].items()
    }
    pruning = {name: mean(each["pruning"][name] for each in found) for name in pruned}
    dense = _mean([each["dense"] for each in found])
    return Speeds(dense, pruned, pruning, found[0]["unknown"])


def _mean(speeds: Sequence[Mapping[str, float]]) -> Speed:
    first = speeds[0]
    seconds = {key: mean(each[key] for each in speeds) for key in ("step", "image", "once")}
    return Speed(**seconds, nbytes=int(first["nbytes"]), macs=int(first["macs"]))
