"""What stages need to run - cores, GPUs, silence - and what of it is free."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from stages.pipeline.cores import CORES, Cores
from stages.pipeline.fault import Fault
from stages.runner.demands import Demand

THREADS = "OMP_NUM_THREADS"
DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Slot:
    """What a stage was given: numbers of cores and GPUs, and the variables that tell it so."""

    cores: int
    gpus: int
    variables: Mapping[str, str] = field(default_factory=dict)
    give_back: Callable[[], None] = lambda: None

    @property
    def where(self) -> str:
        """Return what a person calls it."""
        gpus = self.variables.get(DEVICES)
        return f"GPU {gpus}" if gpus else "1 core" if self.cores == 1 else f"{self.cores} cores"


Lacking = Literal["cores", "gpus"]


class Slots(Protocol):
    """Gives slots to stages."""

    def take(self, wanted: Demand) -> Slot | Lacking:
        """Return a slot, or what there is not enough of now; cores found are kept for this stage.

        A Fault where there will never be enough GPUs.
        """

    def relax(self) -> None:
        """Let others have the cores that are kept, since no stage waits for more."""


class Machine:
    """The cores and GPUs of this machine; `shares` stages compute on a GPU at once.

    Stages may take more of the same cores for themselves while there are free ones.
    """

    def __init__(self, cores: Cores, number: int, gpus: Sequence[str] | None, shares: int) -> None:
        """`gpus` are shared, and others hidden; None leaves to stages what they see."""
        self._cores, self._number, self._shares = cores, number, shares
        self._kept: list[int] = []
        self._hides = gpus is not None
        self._load: Counter[str] = Counter(dict.fromkeys(gpus or (), 0))

    def take(self, wanted: Demand) -> Slot | Lacking:
        """Return a slot: the GPUs that fewest stages compute on, and cores."""
        devices = sorted(self._load, key=self._load.__getitem__)[: wanted.gpus]
        if devices and len(devices) < wanted.gpus:
            raise Fault(f"it asks for {wanted.gpus} GPUs; GPUs to share: {len(self._load)}")
        if any(self._load[device] >= self._shares for device in devices):
            return "gpus"
        number = self._number if wanted.alone else min(wanted.cores, self._number)
        self._kept += self._cores.take(max(0, number - len(self._kept)))
        if len(self._kept) < number:
            return "cores"
        mine, self._kept = self._kept[:number], self._kept[number:]
        self._load.update(devices)
        return Slot(
            number, len(devices), self._variables(wanted, devices), self._giver(mine, devices)
        )

    def relax(self) -> None:
        """Let stages have the cores that are kept for one that waits."""
        self._cores.give(self._kept)
        self._kept = []

    def _variables(self, wanted: Demand, devices: Sequence[str]) -> dict[str, str]:
        variables = {CORES: str(self._cores.folder.absolute())}
        if THREADS not in os.environ:
            variables[THREADS] = str(min(wanted.cores, self._number))
        if self._hides:
            variables[DEVICES] = ",".join(devices)
        return variables

    def _giver(self, cores: list[int], devices: list[str]) -> Callable[[], None]:
        def give_back() -> None:
            self._cores.give(cores)
            self._load.subtract(devices)

        return give_back
