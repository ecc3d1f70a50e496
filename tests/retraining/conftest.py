"""The images, recipe and rates that runs are tested with, and a stage that retrains them."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import torch

from stages.pipeline.recovery import recoverable
from stages.replicates.replicate import Outputs
from tests.training.conftest import (
    close,
    data,
    image_set,
    one_thread,
    rates,
    recipe,
    same,
    snapshot,
)

__all__ = ["close", "data", "image_set", "one_thread", "rates", "recipe", "same", "snapshot"]


@dataclass
class Stage:
    """A stage in a folder of its own, where replicates that stopped go on; nothing is declared."""

    folder: Path
    check: Callable[[], None] = lambda: None
    narrowed: list[object] = field(default_factory=list)

    @property
    def outputs(self):
        return Outputs(*(self.folder / name for name in ("nets", "outcomes", "environment.json")))

    @property
    def state(self):
        """Return the folder of recovery state, which all stages share."""
        return self.folder.with_name("state")

    @contextmanager
    def replicate(self, number, narrowed=None, **more):
        self.narrowed.append(narrowed)
        with recoverable(f"{self.folder.name}-{number}-digest", lambda: self.check()) as work:
            yield work

    def content(self):
        """Return the bytes of all outputs by path."""
        outputs = self.outputs
        files = [f for part in (outputs.networks, outputs.outcomes) for f in part.rglob("*")]
        return {str(f.relative_to(self.folder)): f.read_bytes() for f in files if f.is_file()}


@pytest.fixture
def new_stage(tmp_path, monkeypatch):
    """Return a function that makes a stage, in a folder that no other has."""
    cpu, numbers = torch.device("cpu"), count()
    monkeypatch.setenv("AFTERPRUNE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("stages.replicates.replicate.activate", lambda compute: cpu)

    def make(check=lambda: None):
        return Stage(tmp_path / f"stage_{next(numbers)}", check)

    return make
