"""Which arm plays which role in the claims, by what the arm does, not by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.reporting.measures import mean_test
from stages.reporting.report import Report
from stages.results.records import ArmResult
from stages.schedules.registry import PRESCRIPTIONS
from stages.statistics.estimates import Estimate, paired


@dataclass(frozen=True)
class Line:
    """A schedule under one method, at one budget or several: its arms by epochs, shortest first."""

    name: str
    arms: Mapping[float, ArmResult]

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
        return max(max(arm.points.lr) for arm in self.arms.values())

    @property
    def is_constant(self) -> bool:
        """Whether it has one learning rate, from the trained weights."""
        rates = {rate for arm in self.arms.values() for rate in arm.points.lr}
        return self.start == "final" and len(rates) == 1

    @property
    def diverged(self) -> bool:
        """Whether a replicate diverged at some budget."""
        return any(arm.diverged for arm in self.arms.values())

    @property
    def _first(self) -> ArmResult:
        return next(iter(self.arms.values()))


@dataclass(frozen=True)
class Roles:
    """One method's lines and the roles they play; None where a role is vacant.

    finetune: the smallest constant learning rate (Han 2015). lr_rewind and weight_rewind replay
    the dense run's last epochs, from the final and from the rewound weights (Renda 2020).
    onecycle: that curve, of several the one whose peak is the dense run's (Le & Hua 2021).
    restarts: `scaled` and `onecycle`, or, without either, all that start from the final weights
    with a larger learning rate and replay nothing. Arms with keys that change the training itself
    (see `Technique`) play none, nor do prescriptions, whose rates, however small, are not those
    that the papers' claims are about.
    """

    lines: Mapping[str, Line]
    finetune: Line | None
    lr_rewind: Line | None
    weight_rewind: Line | None
    onecycle: Line | None
    restarts: Sequence[Line]

    @property
    def fast(self) -> Line | None:
        """The large learning rate: `onecycle`, or the highest restart, of those that finished."""
        by_peak = sorted(self.restarts, key=lambda line: (not line.diverged, line.peak))
        return self.onecycle or next(reversed(by_peak), None)

    @property
    def pair(self) -> tuple[Line, Line] | None:
        """The large and the small learning rate, where they share a budget."""
        fast, slow = self.fast, self.finetune
        return (fast, slow) if fast and slow and shared(fast, slow) else None


def roles(report: Report, method: str) -> Roles:
    """Give one method's lines their roles."""
    known = {label: _line(report, method, label) for label in report.lines}
    plain = [
        line
        for label, line in known.items()
        if report.is_plain(report.lines[label][0]) and line.curve not in PRESCRIPTIONS
    ]
    trained = [line for line in plain if line.start == "final"]
    free = [line for line in trained if line.curve != "replay"]
    top = max((line.peak for line in trained), default=0.0)
    still = [line for line in free if line.is_constant and line.peak < top]
    finetune = min(still, key=lambda line: line.peak, default=None)
    moving = [line for line in free if line is not finetune]
    named = [line for line in moving if line.curve in ("scaled", "onecycle")]
    rewound = [line for line in plain if line.start == "rewound"]
    return Roles(
        known,
        finetune,
        lr_rewind=_first(trained, "replay"),
        weight_rewind=_first(rewound, "replay"),
        onecycle=_onecycle(report, trained),
        restarts=named or [line for line in moving if finetune and line.peak > finetune.peak],
    )


def shared(first: Line, second: Line) -> list[float]:
    """Return the budgets at which both lines exist with different curves or starts."""
    both = sorted(first.arms.keys() & second.arms.keys())
    return [epochs for epochs in both if _differ(first.arms[epochs], second.arms[epochs])]


def gap(first: Line, second: Line, epochs: Sequence[float], confidence: float) -> Estimate:
    """Return `first` - `second` in points, paired by seed, averaged over budgets."""
    ours, theirs = ([line.arms[number] for number in epochs] for line in (first, second))
    return paired(mean_test(ours), mean_test(theirs), confidence)


def _line(report: Report, method: str, label: str) -> Line:
    arms = [report.results.arms[method, name] for name in report.lines[label]]
    return Line(label, {arm.epochs: arm for arm in sorted(arms, key=lambda arm: arm.epochs)})


def _first(lines: Sequence[Line], curve: str) -> Line | None:
    return next((line for line in lines if line.curve == curve), None)


def _onecycle(report: Report, lines: Sequence[Line]) -> Line | None:
    """Return the first with that curve whose peak is the dense run's, or else the first."""
    cycles = [line for line in lines if line.curve == "onecycle"]
    at_peak = (line for line in cycles if _has_dense_peak(report, line))
    return next(at_peak, next(iter(cycles), None))


def _has_dense_peak(report: Report, line: Line) -> bool:
    max_lr = report.schedules[report.lines[line.name][0]].get("max_lr", "max")
    return max_lr in ("max", report.dense_peak)


def _differ(first: ArmResult, second: ArmResult) -> bool:
    return (first.method, first.start, first.points) != (second.method, second.start, second.points)
