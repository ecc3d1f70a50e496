"""Rooms import downwards only; there is no circle between them, nor inside one."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = (
    *("pipeline", "data", "images", "networks", "schedules", "replicates", "training"),
    *("evaluation", "dense", "pruning", "retraining", "results", "statistics"),
    *("reporting", "study", "presets", "runner", "commands"),
)
"""From the bottom up; the stages themselves are on top of all, the networks' own files beside."""
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "stages").rglob("*.py"))


def imported(path):
    """Return the project's files that a file imports, for types alone too."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {Path(*name.split(".")).with_suffix(".py") for name in found}
    return files & set(FILES)


def room(path):
    return path.parts[1] if len(path.parts) > 2 else ""


def test_every_room_has_its_place():
    assert {room(path) for path in FILES} - {"", "models"} == set(ORDER)


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in ORDER], ids=str)
def test_a_file_imports_downwards(path):
    place = ORDER.index(room(path))
    upwards = [p for p in imported(path) if room(p) not in ORDER[: place + 1]]
    assert upwards == []


def test_networks_of_the_project_import_the_room_of_networks_alone():
    models = [path for path in FILES if room(path) == "models"]
    assert {room(p) for path in models for p in imported(path)} == {"networks", "pipeline"}


def test_the_runner_knows_of_the_project_only_how_to_report_mistakes_and_share_cores():
    known = {each for path in FILES if room(path) == "runner" for each in imported(path)}
    assert {path for path in known if room(path) != "runner"} == {
        Path("stages/pipeline/command.py"),
        Path("stages/pipeline/cores.py"),
        Path("stages/pipeline/fault.py"),
    }


def test_no_import_goes_in_circles():
    TopologicalSorter({path: imported(path) for path in FILES}).prepare()
