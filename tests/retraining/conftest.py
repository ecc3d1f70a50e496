"""The images, recipe and rates that runs are tested with, and a stage that retrains them."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.files import save_arrays
from stages.pipeline.recovery import recoverable
from stages.replicates.replicate import Outputs
from stages.replicates.settings import Compute
from stages.retraining.plan import Plan, save_plan
from stages.retraining.run import ArmRun
from stages.retraining.technique import Technique
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

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 2}, 3, 1)
MASKED = "layer1.0.conv1.weight"
COMPUTE = Compute(device="cpu")


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


@pytest.fixture
def pruned(tmp_path):
    """The folder of two replicates of one network, half of a layer pruned."""
    network = build(SPEC, 0)
    mask = np.arange(network.get_parameter(MASKED).numel()) % 2 == 0
    mask = mask.reshape(network.get_parameter(MASKED).shape)
    network.get_parameter(MASKED).data.mul_(torch.from_numpy(mask))
    for number in (0, 1):
        name = f"replicate_{number}.safetensors"
        compact.save(tmp_path / "l1" / "networks" / name, network, SPEC)
        save_arrays(tmp_path / "l1" / "masks" / name, {MASKED: mask}, {"granularity": "weight"})
    return tmp_path / "l1"


@pytest.fixture
def arm(tmp_path, recipe, rates):
    plan = Plan("final", "onecycle", rates, dense_epochs=6)
    folder = tmp_path / "plans" / "l1" / "onecycle"
    save_plan(folder, plan)
    return ArmRun(folder, plan, recipe, COMPUTE, seed=5)


@pytest.fixture
def with_keys(arm):
    """Return a function that gives the arm keys of its own."""
    return lambda **keys: replace(arm, plan=replace(arm.plan, technique=Technique(**keys)))


@pytest.fixture
def begin_arm(with_keys, pruned, data):
    """Return a function that begins the arm, with keys of its own, at epoch 0."""
    return lambda **keys: with_keys(**keys).begin(pruned, 0, data, 1.0)
