"""What stages need to run - cores, GPUs, silence - and what of it is free."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from stages.pipeline.cores import CORES, Cores
from stages.pipeline.fault import Fault

KEY = "run"
THREADS = "OMP_NUM_THREADS"
DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Demand:
    """What a stage needs: cores, GPUs (of those there are to share), or to run `alone`."""

    cores: int = 1
    gpus: int = 1
    alone: bool = False


def demand(name: str, meta: Any) -> Demand:
    """Return what a stage asks for in its `meta` of dvc.yaml, under the key `run`.

    `cores` is a number, or a list of numbers to multiply, since DVC's templates cannot.
    """
    asked = meta.get(KEY, {}) if isinstance(meta, Mapping) else {}
    allowed = "cores (1 or more, or a list of such), gpus (0 or more), alone (true or false)"
    if not isinstance(asked, Mapping) or asked.keys() - {"cores", "gpus", "alone"}:
        raise Fault(f"dvc.yaml: {name}: meta.{KEY} is {asked!r}; it may have {allowed}")
    values = asked.get("cores", 1)
    factors = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
    cores = 1
    for factor in factors:
        cores *= _whole(name, "cores", factor, 1)
    alone = asked.get("alone", False)
    if not isinstance(alone, bool):
        raise Fault(f"dvc.yaml: {name}: meta.{KEY}.alone is {alone!r}; it should be true or false")
    return Demand(cores, _whole(name, "gpus", asked.get("gpus", 1), 0), alone)


def _whole(name: str, key: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Fault(
            f"dvc.yaml: {name}: meta.{KEY}.{key} is {value!r}; "
            f"it should be a whole number, {least} or more"
        )
    return value


@dataclass(frozen=True)
class Slot:
    """What a stage was given: numbers of cores and GPUs, and the variables that tell it so."""

    cores: int
    gpus: int
    variables: Mapping[str, str] = field(default_factory=dict)
    give_back: Callable[[], None] = lambda: None


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

    def __init__(self, cores: Cores, number: int, gpus: Sequence[str], shares: int) -> None:
        self._cores, self._number, self._shares = cores, number, shares
        self._kept: list[int] = []
        self._load: Counter[str] = Counter(dict.fromkeys(gpus, 0))

    def take(self, wanted: Demand) -> Slot | Lacking:
        """Return a slot: the GPUs that fewest stages compute on, and cores."""
        devices = sorted(self._load, key=self._load.__getitem__)[: wanted.gpus]
        if devices and len(devices) < wanted.gpus:
            raise Fault(f"it asks for {wanted.gpus} GPUs; there are {len(self._load)} to share")
        if any(self._load[device] >= self._shares for device in devices):
            return "gpus"
        number = self._number if wanted.alone else min(wanted.cores, self._number)
        self._kept += self._cores.take(number - len(self._kept))
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
        if self._load:
            variables[DEVICES] = ",".join(devices)
        return variables

    def _giver(self, cores: list[int], devices: list[str]) -> Callable[[], None]:
        def give_back() -> None:
            self._cores.give(cores)
            self._load.subtract(devices)

        return give_back
