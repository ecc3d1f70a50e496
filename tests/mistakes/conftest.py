"""A project in which mistakes are made, and the functions that make them."""

import shutil
import subprocess
import sys
from functools import cache

import pytest

from stages.pipeline import digests
from stages.pipeline.files import write_json, write_text
from tests.pipeline.project import copy_tree

ABOUT = {
    **{"source": "digits", "classes": [*"0123456789"], "channels": 1, "height": 8, "width": 8},
    **{"mean": [0.5], "std": [0.5], "train": 810, "validation": 90, "test": 897},
}
"""The description of the prepared digits, all that some stages read of them."""


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A copy of the project whose code is digested."""
    folder = tmp_path_factory.mktemp("mistakes") / "project"
    copy_tree(folder)
    (folder / "data/raw").mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "stages.code"], cwd=folder, check=True)
    write_json(folder / "data/prepared/description.json", ABOUT)
    write_text(folder / "build/params.ok", "ok\n")
    write_json(folder / "build/starts.json", {"fresh": False, "trainable": {}})
    return folder


@pytest.fixture(scope="session")
def parsed():
    """Parse a file of code once for all tests; none of them edits what it imports."""
    return cache(digests.parse_code)


@pytest.fixture
def project(checkout, parsed, monkeypatch):
    """The project, as the current folder; what a test adds or changes of the settings goes."""
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(digests, "parse_code", parsed)
    params, raw, code = (checkout / p for p in ("params.yaml", "data/raw", "build/code.json"))
    text, digests_before = params.read_text(), code.read_text()
    yield checkout
    code.write_text(digests_before)
    if params.is_dir():
        params.rmdir()
    params.unlink(missing_ok=True)
    params.write_text(text)
    shutil.rmtree(raw)
    raw.mkdir()
    for folder in ("mine", "models"):
        shutil.rmtree(checkout / folder, ignore_errors=True)
