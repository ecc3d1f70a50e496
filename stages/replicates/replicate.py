"""One replicate of a stage that trains: its device, its folder, and where its files go."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from stages.pipeline.files import write_json
from stages.pipeline.guard import Stage
from stages.replicates.environment import activate, describe
from stages.replicates.settings import Compute

NETWORKS, OUTCOMES = "networks", "outcomes"
"""The parts of a replicate's folder; each holds files by the names that they have in the output."""


@dataclass(frozen=True)
class Outputs:
    """The outputs of a stage that trains: two folders for all replicates, and one file."""

    networks: Path
    outcomes: Path
    environment: Path


@dataclass(frozen=True)
class Replicate:
    """A replicate that is to be computed in `folder` on `device`, if it is not `finished` already.

    Call `check` when all inputs are in memory (see `pipeline.recovery.Work`).
    """

    number: int
    device: torch.device
    folder: Path
    finished: bool
    check: Callable[[], None]

    @property
    def name(self) -> str:
        """Return the name of its files and folders."""
        return f"replicate_{self.number}"

    @property
    def networks(self) -> Path:
        """Return the folder of its networks."""
        return self.folder / NETWORKS

    @property
    def outcome(self) -> Path:
        """Return the file of its outcome."""
        return self.folder / OUTCOMES / f"{self.name}.safetensors"


@contextmanager
def training(
    stage: Stage,
    number: int,
    compute: Compute,
    outputs: Outputs,
    narrowed: Mapping[str, str] | None = None,
) -> Iterator[Replicate]:
    """Yield a replicate, then copy its files to the outputs; replicate 0 writes the environment.

    `narrowed` is that of `Stage.replicate`.
    """
    device = activate(compute)
    environment = describe(compute, device)
    if number == 0:
        write_json(outputs.environment, environment)
    with stage.replicate(number, narrowed, environment=environment) as work:
        yield Replicate(number, device, work.folder, work.finished, work.check)
        for part, target in ((NETWORKS, outputs.networks), (OUTCOMES, outputs.outcomes)):
            shutil.copytree(work.folder / part, target, dirs_exist_ok=True)
