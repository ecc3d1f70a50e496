"""The cases that train or evaluate: this project against the stock loop and the bare step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tests.benchmarks.ceiling import Ceiling
from tests.benchmarks.child import Contender, Task, images_per_second, processors, ready
from tests.benchmarks.ours import Ours
from tests.benchmarks.ratios import Pair, Row, alternate, compare
from tests.benchmarks.setting import Device, Setting
from tests.benchmarks.stock import Stock
from tests.benchmarks.workload import Workload

OURS, ALL, CEILING, ALONE = "ours", "ours on all cores", "ceiling", "stock 0 workers"


@dataclass(frozen=True)
class Training:
    """A kind of work (epoch, evaluation or arm) on a workload, `repeats` times a turn."""

    name: str
    kind: str
    workload: Callable[[], Workload]
    device: Device
    repeats: int = 1

    def rows(self, settings: Sequence[Setting], rounds: int) -> list[Row]:
        """Measure under every setting; return the ratios."""
        return [row for setting in settings for row in self.measure(setting, rounds)]

    def measure(self, setting: Setting, rounds: int) -> list[Row]:
        """Let all contenders take turns under one setting; return the ratios.

        On a CPU ours are as many processes as there are cores; one of them is the contender that
        takes its turns alone.
        """
        with ready(self._tasks(setting)) as children:
            turns = {name: partial(images_per_second, group) for name, group in children.items()}
            if ALL in children:
                turns[OURS] = partial(images_per_second, children[ALL][:1])
            values = alternate(turns, rounds, f"{self.name} {setting}")
        return compare(self.name, str(setting), "images/s", values, self._pairs())

    def _tasks(self, setting: Setting) -> dict[str, list[Task]]:
        device = self.device
        ours = self._task(partial(Ours, setting=setting, device=device))
        return {
            self._stock: [self._task(partial(Stock, workers=self._workers, device=device))],
            ALONE: [self._task(partial(Stock, workers=0, device=device))],
            CEILING: [self._task(partial(Ceiling, setting=setting, device=device))],
            **({ALL: [ours] * processors()} if device is Device.cpu else {OURS: [ours]}),
        }

    def _task(self, make: Callable[[Workload], Contender]) -> Task:
        return Task(self.workload, make, self.kind, self.device, self.repeats)

    @property
    def _workers(self) -> int:
        return 2 if self.device is Device.cpu else 8

    @property
    def _stock(self) -> str:
        return f"stock {self._workers} workers"

    def _pairs(self) -> list[Pair]:
        pairs = [Pair(OURS, CEILING, ">= 0.90"), Pair(OURS, self._stock)]
        if self.device is Device.cpu:
            pairs.append(Pair(ALL, self._stock))
        return [*pairs, Pair(ALONE, self._stock)]
