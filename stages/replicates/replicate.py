"""One replicate of a stage that trains: its device, its folder, and where its files go."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages.pipeline.files import write_json
from stages.pipeline.guard import Stage
from stages.pipeline.manifest import Manifest
from stages.pipeline.recovery import Work
from stages.replicates.environment import activate, describe
from stages.replicates.ranks import by_leader, from_leader, leads
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
    """A replicate that is to be computed in its folder on `device`, if it is not finished already.

    All of its ranks have the same folder, and the leader writes there.
    """

    number: int
    device: torch.device
    work: Work

    def check(self) -> None:
        """Raise a Fault when an input has changed; call it once all of them are in memory."""
        self.work.check()

    def keep(self, without: Collection[Path] = ()) -> None:
        """Let a run after a crash find the files of the folder as they are now, but for some."""
        self.work.files.keep(without)

    @property
    def finished(self) -> bool:
        """Whether an earlier run has computed it."""
        return self.work.finished

    @property
    def folder(self) -> Path:
        """Return the folder of its files."""
        return self.work.folder

    @property
    def name(self) -> str:
        """Return the name of its files and folders."""
        return f"replicate_{self.number}"

    @property
    def first(self) -> bool:
        """Whether this is the one process that prints what holds for all."""
        return self.number == 0 and leads()

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
    """Yield a replicate, then publish its files as outputs; replicate 0 writes the environment.

    `narrowed` is that of `Stage.replicate`.
    """
    device = activate(compute)
    environment = describe(compute, device)
    with _shared_work(stage, number, narrowed, environment) as work:
        this = Replicate(number, device, work)
        if this.first:
            write_json(outputs.environment, environment)
        yield this
        _publish(work, outputs)


@contextmanager
def _shared_work(
    stage: Stage, number: int, narrowed: Mapping[str, str] | None, environment: dict[str, Any]
) -> Iterator[Work]:
    """Yield a replicate's work to all of its ranks; the leader alone locks and finishes it."""
    if not leads():
        folder, finished = from_leader()
        yield Work(Manifest(Path(folder)), finished, stage.check)
        return
    with stage.replicate(number, narrowed, environment=environment) as work:
        from_leader([str(work.folder), work.finished])
        yield work


@by_leader
def _publish(work: Work, outputs: Outputs) -> None:
    if not work.finished:
        work.files.keep()
    work.files.publish(NETWORKS, outputs.networks)
    work.files.publish(OUTCOMES, outputs.outcomes)
