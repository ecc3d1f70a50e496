"""How long stages took last time: which to start first, and how long a run will take."""

import json
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from pathlib import Path
from statistics import mean

from stages.runner.demands import Demand


def read_times(path: Path) -> dict[str, float]:
    """Return the seconds each stage took; none where the file is not there or not whole."""
    try:
        times = json.loads(path.read_text(encoding="utf-8"))
        return {f"{name}": float(seconds) for name, seconds in times.items()}
    except (OSError, ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        return {}


def write_times(path: Path, times: Mapping[str, float]) -> None:
    """Write what `read_times` reads."""
    rounded = {name: round(seconds, 3) for name, seconds in times.items()}
    path.write_text(json.dumps(rounded, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def expected(names: Sequence[str], times: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of stages as far as known: their own, or the mean of their kind.

    The kind of a stage of a matrix is its name without what stands behind the @.
    """
    kinds: dict[str, list[float]] = {}
    for name, seconds in times.items():
        kinds.setdefault(kind(name), []).append(seconds)
    known = {name: mean(kinds[kind(name)]) for name in names if kind(name) in kinds}
    return {**known, **{name: times[name] for name in names if name in times}}


def kind(name: str) -> str:
    """Return what stages of one matrix have in common."""
    return name.partition("@")[0]


def longest_chains(
    names: Sequence[str], needs: Mapping[str, set[str]], times: Mapping[str, float]
) -> dict[str, float]:
    """Return the seconds from the start of each stage to the end of the longest chain behind it.

    `names` has every stage after those it needs. One of unknown time counts as the mean.
    """
    known = expected(names, times)
    usual = mean(times.values()) if times else 1.0
    chains = dict.fromkeys(names, 0.0)
    for name in reversed(names):
        chains[name] += known.get(name, usual)
        for before in needs[name]:
            chains[before] = max(chains[before], chains[name])
    return chains


def shortest(
    needs: Mapping[str, set[str]],
    seconds: Mapping[str, float],
    demands: Mapping[str, Demand],
    cores: int,
    gpus: int,
) -> float:
    """Return what `makespan` is no less than, at once: the longest chain, and the work shared out.

    `needs` has every stage after those it needs.
    """
    names = list(needs)
    chains = longest_chains(names, needs, {name: seconds.get(name, 0.0) for name in names})
    on_cores = sum(
        taken * (cores if demands[name].alone else min(demands[name].cores, cores))
        for name, taken in seconds.items()
    )
    on_gpus = sum(taken * min(demands[name].gpus, gpus) for name, taken in seconds.items())
    return max([on_cores / cores, on_gpus / max(gpus, 1), *chains.values()])


def duration(seconds: float) -> str:
    """Return seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def makespan(
    needs: Mapping[str, set[str]],
    seconds: Mapping[str, float],
    demands: Mapping[str, Demand],
    cores: int,
    gpus: int,
) -> float:
    """Return how long the stages of `seconds` take, started by the runner, longest chain first.

    `gpus` counts how many stages may compute on GPUs at once; 0 where none are shared. Those that
    `needs` has and `seconds` has not take no time.
    """
    names = list(needs)
    times = {name: seconds.get(name, 0.0) for name in names}
    chains = longest_chains(names, needs, times)
    left = {name: len(needs[name]) for name in names}
    behind: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        for before in needs[name]:
            behind[before].append(name)
    ready = [name for name in names if not left[name]]
    running: list[tuple[float, str, int, int]] = []
    now = 0.0
    while ready or running:
        for name in sorted(ready, key=lambda name: -chains[name]):
            wanted = demands[name]
            share = cores if wanted.alone else min(wanted.cores, cores)
            devices = min(wanted.gpus, gpus)
            used = sum(each[2] for each in running), sum(each[3] for each in running)
            if times[name] == 0:
                share = devices = 0
            if used[0] + share <= cores and used[1] + devices <= gpus:
                ready.remove(name)
                heappush(running, (now + times[name], name, share, devices))
        now, name, *_ = heappop(running)
        for other in behind[name]:
            left[other] -= 1
            if not left[other]:
                ready.append(other)
    return now
