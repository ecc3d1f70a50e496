"""How long stages took last time, and so which to start first."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def read_times(path: Path) -> dict[str, float]:
    """Return the seconds each stage took; none where the file is not there or not whole."""
    try:
        times = json.loads(path.read_text(encoding="utf-8"))
        return {f"{name}": float(seconds) for name, seconds in times.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_times(path: Path, times: Mapping[str, float]) -> None:
    """Write what `read_times` reads."""
    rounded = {name: round(seconds, 3) for name, seconds in times.items()}
    path.write_text(json.dumps(rounded, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def longest_chains(
    names: Sequence[str], needs: Mapping[str, set[str]], times: Mapping[str, float]
) -> dict[str, float]:
    """Return the seconds from the start of each stage to the end of the longest chain behind it.

    `names` has every stage after those it needs. One of unknown time counts as the mean.
    """
    usual = sum(times.values()) / len(times) if times else 1.0
    chains = dict.fromkeys(names, 0.0)
    for name in reversed(names):
        chains[name] += times.get(name, usual)
        for before in needs[name]:
            chains[before] = max(chains[before], chains[name])
    return chains
