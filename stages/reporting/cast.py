"""Who plays which part in the literature's claims, told by what an arm does, not by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.reporting.measures import mean_test
from stages.reporting.records import Arm
from stages.reporting.results import Study
from stages.reporting.statistics import Estimate, paired


@dataclass(frozen=True)
class Line:
    """A schedule under one method, at one budget or several: its arms by epochs, shortest first."""

    name: str
    arms: Mapping[int, Arm]

    @property
    def start(self) -> str:
        """The weights it starts from."""
        return self._first.start

    @property
    def curve(self) -> str:
        """The name of its curve function."""
        return self._first.curve

    @property
    def peak(self) -> float:
        """Its largest learning rate at any budget."""
        return max(max(arm.curve_points.lr) for arm in self.arms.values())

    @property
    def is_constant(self) -> bool:
        """Whether it has one learning rate, from the trained weights."""
        rates = {rate for arm in self.arms.values() for rate in arm.curve_points.lr}
        return self.start == "final" and len(rates) == 1

    @property
    def _first(self) -> Arm:
        return next(iter(self.arms.values()))


@dataclass(frozen=True)
class Cast:
    """One method's lines and the parts they play; None where nobody plays it.

    finetune: the smallest constant learning rate (Han 2015). lr_rewind and weight_rewind replay
    the dense run's last epochs, from the final and from the rewound weights (Renda 2020).
    onecycle: that curve (Le & Hua 2021). restarts: `scaled` and `onecycle`, or, without either,
    all that start from the final weights with a larger learning rate and replay nothing.
    """

    lines: Mapping[str, Line]
    finetune: Line | None
    lr_rewind: Line | None
    weight_rewind: Line | None
    onecycle: Line | None
    restarts: Sequence[Line]

    @property
    def fast(self) -> Line | None:
        """The large learning rate: `onecycle`, or the restart with the highest peak."""
        return self.onecycle or max(self.restarts, key=lambda line: line.peak, default=None)

    @property
    def pair(self) -> tuple[Line, Line] | None:
        """The large and the small learning rate, where they meet at some budget."""
        fast, slow = self.fast, self.finetune
        return (fast, slow) if fast and slow and shared(fast, slow) else None


def cast(study: Study, method: str, lines: Mapping[str, Sequence[str]]) -> Cast:
    """Give one method's lines their parts; `lines` joins schedules that differ in budget alone."""
    known = {label: _line(study, method, label, names) for label, names in lines.items()}
    trained = [line for line in known.values() if line.start == "final"]
    free = [line for line in trained if line.curve != "replay"]
    top = max((line.peak for line in trained), default=0.0)
    still = [line for line in free if line.is_constant and line.peak < top]
    finetune = min(still, key=lambda line: line.peak, default=None)
    moved = [line for line in free if line is not finetune]
    named = [line for line in moved if line.curve in ("scaled", "onecycle")]
    rewound = [line for line in known.values() if line.start == "rewound"]
    return Cast(
        known,
        finetune,
        lr_rewind=_first(trained, "replay"),
        weight_rewind=_first(rewound, "replay"),
        onecycle=_first(trained, "onecycle"),
        restarts=named or [line for line in moved if finetune and line.peak > finetune.peak],
    )


def shared(first: Line, second: Line) -> list[int]:
    """Return the budgets at which both lines exist with different curves or starts."""
    both = sorted(first.arms.keys() & second.arms.keys())
    return [epochs for epochs in both if _differ(first.arms[epochs], second.arms[epochs])]


def gap(first: Line, second: Line, epochs: Sequence[int], confidence: float) -> Estimate:
    """Return `first` - `second` in points, paired by seed, averaged over budgets."""
    ours, theirs = ([line.arms[number] for number in epochs] for line in (first, second))
    return paired(mean_test(ours), mean_test(theirs), confidence)


def _line(study: Study, method: str, label: str, names: Sequence[str]) -> Line:
    arms = sorted((study.arms[method, name] for name in names), key=lambda arm: arm.epochs)
    return Line(label, {arm.epochs: arm for arm in arms})


def _first(lines: Sequence[Line], curve: str) -> Line | None:
    return next((line for line in lines if line.curve == curve), None)


def _differ(first: Arm, second: Arm) -> bool:
    return (first.method, first.start, first.curve_points) != (
        second.method,
        second.start,
        second.curve_points,
    )
