"""The case `startup`: from the start of a process to the end of an arm's first training step."""

import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from tests.benchmarks.ratios import Pair, Row, alternate, compare

FIRST_STEP = ("-m", "tests.benchmarks.first_step")
IMPORT_TORCH = ("-c", "import torch, time; print(time.time())")
IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
MOST = 10


def startup(rounds: int) -> list[Row]:
    """Compare the time to the first step with that of `import torch`, and say what imports take.

    The second part lists the packages with the largest import time of their own, of the modules
    that stages.retrain imports and torch alone does not.
    """
    commands = {"first step": FIRST_STEP, "import torch": IMPORT_TORCH}
    turns = {name: partial(_seconds, arguments) for name, arguments in commands.items()}
    values = alternate(turns, rounds, "startup")
    first = compare("startup", "", "s", values, [Pair("first step", "import torch", "<= 1.20")])
    return first + _imports([(_times("stages.retrain"), _times("torch")) for _ in range(rounds)])


def import_times(log: str) -> dict[str, int]:
    """Read what `python -X importtime` says: microseconds of each module itself."""
    return {name: int(own) for own, name in IMPORT.findall(log)}


def beyond(times: Mapping[str, int], base: Mapping[str, int]) -> Counter[str]:
    """Return the time of the modules that `base` lacks, by top-level package."""
    packages: Counter[str] = Counter()
    for name, own in times.items():
        if name not in base:
            packages[name.partition(".")[0]] += own
    return packages


def _imports(runs: Sequence[tuple[dict[str, int], dict[str, int]]]) -> list[Row]:
    """Return a row for each of the packages that take most, in milliseconds."""
    packages = [beyond(times, base) for times, base in runs]
    names = {name for run in packages for name in run}
    median = {name: statistics.median(run[name] for run in packages) for name in names}
    most = sorted(names, key=lambda name: (-median[name], name))[:MOST]
    values = {f"import {name}": [run[name] / 1000 for run in packages] for name in most}
    values["import torch first"] = [sum(base.values()) / 1000 for _, base in runs]
    pairs = [Pair(f"import {name}", "import torch first") for name in most]
    return compare("startup", "beyond torch", "ms", values, pairs)


def _seconds(arguments: Sequence[str]) -> float:
    """Run Python; return the time from its start to the time that it prints."""
    start = time.time()
    return float(_python(*arguments).stdout) - start


def _times(module: str) -> dict[str, int]:
    return import_times(_python("-X", "importtime", "-c", f"import {module}").stderr)


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
