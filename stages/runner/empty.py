"""How long the runner takes where stages have nothing to do: Python's start, DVC's bookkeeping."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.pipeline.fault import Fault

FEWEST, MOST = 12, 96
CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
"""Of a DVC repository in a folder of its own."""
STAGES = "stages:\n  empty:\n    foreach: {items}\n    do:\n      cmd: {command} ${{item}}\n"


def empty_run(module: str, cores: int) -> tuple[float, float]:
    """Run stages that only import a module, side by side; return the seconds of two things.

    Of the start, from nothing to when the first stages have imported their libraries; and from the
    end of one stage to that of the next.
    """
    number = min(max(FEWEST, 3 * cores), MOST)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".dvc").mkdir()
        (folder / ".dvc/config").write_text(CONFIG)
        (folder / "empty.py").write_text(f"import {module}\n")
        command = f"{shlex.quote(sys.executable)} empty.py"
        (folder / "dvc.yaml").write_text(STAGES.format(items=[*range(number)], command=command))
        ends = _ends(folder, cores)
    if len(ends) < number:
        raise Fault(f"a run of {number} empty stages ended after {len(ends)} of them")
    return opening(ends)


def opening(ends: list[float]) -> tuple[float, float]:
    """Return what the second half of stages took each, and what the first took beyond that."""
    half = len(ends) // 2
    each = (ends[-1] - ends[half - 1]) / (len(ends) - half)
    return max(0.0, ends[half - 1] - half * each), each


def _ends(folder: Path, cores: int) -> list[float]:
    """Run the stages in a folder; return when each ended, in seconds from the start."""
    paths = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    words = [sys.executable, "-m", "stages.runner", "--workers", f"{cores}", "--gpus", "none"]
    begun = time.monotonic()
    with subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        return [time.monotonic() - begun for line in process.stdout if line.startswith("ran ")]
