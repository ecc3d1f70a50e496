import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_commands_get_at_the_rules_without_torch_or_pandas():
    files = sorted((ROOT / "stages/statistics").glob("[a-z]*.py"))
    names = ", ".join(f"stages.statistics.{path.stem}" for path in files)
    slow = ("torch", "pandas", "matplotlib", "scipy.stats")
    code = f"import {names}, sys; print(*sys.modules.keys() & {slow})"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(files) > 5
    assert found.stdout.split() == []
