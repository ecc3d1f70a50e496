"""What a search of a method's networks tries and finds, and how it is said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.commands.layout import columns
from stages.dense.given import given_weights
from stages.pipeline.params import PARAMS
from stages.pruning.settings import Entry
from stages.reporting.words import count, level
from stages.statistics.estimates import Estimate
from stages.study.settings import Study


@dataclass(frozen=True)
class Family:
    """One method under one schedule, and what its networks may lose.

    `amount` is the option that says how much it removes, `candidates` its values, rising.
    """

    study: Study
    method: str
    schedule: str
    amount: str
    candidates: Sequence[float]
    max_drop: float

    @property
    def key(self) -> str:
        """The dotted key of the amount in params.yaml."""
        return f"prune.methods.{self.method}.allocation.{self.amount}"

    @property
    def entry(self) -> Entry:
        """The method in params.yaml."""
        entry: Entry = self.study.prune.methods[self.method]
        return entry


@dataclass(frozen=True)
class Probe:
    """A network of the family: its size, and what it loses against the dense one, in points.

    The upper end of `drop` is its one-sided bound. `diverged` replicates leave no drop.
    """

    value: float
    seed: int
    parameters: int
    parameters_kept: float
    macs: float
    macs_kept: float
    drop: Estimate
    diverged: int

    def keeps(self, max_drop: float) -> bool:
        """Whether the drop is shown to be below; two that agree to the digit show nothing."""
        return self.drop.high < max_drop and not self.drop.coincides


def in_words(asked: Family, probe: Probe) -> str:
    """Say whether a network keeps the accuracy, and what it loses."""
    verdict = "keeps" if probe.keeps(asked.max_drop) else "does not keep"
    return f"{asked.amount} {probe.value:g} {verdict} the accuracy: {_loss(asked, probe)}"


def _loss(asked: Family, probe: Probe) -> str:
    if probe.diverged:
        return f"{count(probe.diverged, 'replicate')} diverged"
    mean, bound = _points(probe.drop.mean), _points(probe.drop.high)
    return f"it loses {mean} points, at most {bound} ({level(asked.study.compare.confidence)})"


def table(asked: Family, probes: Sequence[Probe]) -> str:
    """Return a line for each probe, the largest network first."""
    head = (asked.amount, "parameters", "%", "MACs", "%", "drop", "at most", "kept")
    rows = [
        (
            f"{each.value:g}",
            f"{each.parameters}",
            f"{each.parameters_kept:.1f}",
            f"{each.macs:.0f}",
            f"{each.macs_kept:.1f}",
            _points(each.drop.mean),
            _points(each.drop.high),
            "yes" if each.keeps(asked.max_drop) else "no",
        )
        for each in probes
    ]
    return columns([head, *rows])


def conclusion(
    asked: Family, probes: Mapping[int, Probe], found: int | None, fresh: Probe | None
) -> str:
    """Say which network it is, whether fresh seeds confirm it, and how to get it."""
    within = f"the accuracy of the dense network to within {asked.max_drop:g} points"
    if found is None or fresh is None:
        first = probes[0]
        return (
            f"Even the largest network, {asked.amount} {first.value:g}, is not shown to keep "
            f"{within}: {_loss(asked, first)}. Allow more points, add replicates, or try a smaller "
            "--step."
        )
    best = probes[found]
    said = [
        f"{asked.amount} {best.value:g} is the smallest network found that keeps {within}: "
        f"{best.parameters} parameters ({best.parameters_kept:.1f} %), {best.macs:.0f} MACs "
        f"({best.macs_kept:.1f} %). Bisection takes it that smaller networks lose more; the "
        "confirmation is what counts."
    ]
    if found == len(asked.candidates) - 1:
        said.append("It is the smallest of all that could be tried.")
    if fresh.keeps(asked.max_drop):
        said += [f"Confirmed {_where(asked, fresh)}: {_loss(asked, fresh)}.", _how(asked, best)]
    else:
        said.append(f"NOT confirmed {_where(asked, fresh)}: {_loss(asked, fresh)}.")
        said.append(_larger(asked, probes, found))
    return "\n".join(said)


def _where(asked: Family, fresh: Probe) -> str:
    """Say on which seeds, and that a dense network of train.weights has none of its own."""
    seeds = f"on fresh seeds ({fresh.seed} to {fresh.seed + asked.study.seeds - 1})"
    weights = asked.study.train.weights
    if given_weights(weights) is None:
        return seeds
    return f"{seeds} of all but the dense network, which is the same ({weights})"


def _larger(asked: Family, probes: Mapping[int, Probe], found: int) -> str:
    """Name the next larger network, and what the search saw of it."""
    if not found:
        return "There is no larger network to try: allow more points."
    seen = probes.get(found - 1)
    saw = f" ({_loss(asked, seen)} in the search)" if seen else ""
    return (
        f"The next larger network is {asked.amount} {asked.candidates[found - 1]:g}{saw}. More "
        "replicates (seeds) make the search and its confirmation surer."
    )


def _how(asked: Family, best: Probe) -> str:
    arm = f"{asked.method}-{asked.schedule}"
    return (
        f"\nFor this network, which is trained already, set {asked.key} to {best.value:g} in "
        f"{PARAMS}, then\n"
        f"    afterprune run retrain@{arm}\n"
        f"    afterprune export --method {asked.method} --schedule {asked.schedule}"
    )


def _points(value: float) -> str:
    return f"{value:.2f}" if value == value else "–"
