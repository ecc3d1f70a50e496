"""How much of one-cycle's gain over fine-tuning the best other constant rate captures."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.reporting.studies.contrasts import Contrast, between_roles, by_family, distinct, runs
from stages.reporting.studies.roles import FINETUNE, ONECYCLE, TUNED, Case
from stages.reporting.tables import markdown, with_interval
from stages.reporting.words import code, listed, span, true_minus
from stages.statistics.estimates import estimate
from stages.statistics.ratios import Ratio, mean_ratio

TITLE = "What another constant rate captures"
HEADER = [
    "Studies",
    "Other rates",
    "n",
    "Best other − fine-tuning, points",
    "One-cycle − fine-tuning, points",
    "Captured, %",
]


@dataclass(frozen=True)
class Share:
    """What one set of dense networks says: gains in points by seed, and their ratio of means."""

    cases: Sequence[Case]
    gains: NDArray[np.float64]
    """[seed, 2]: of the tuned rate and of one-cycle, over fine-tuning, averaged over the cases."""
    confidence: float

    @property
    def value(self) -> Ratio:
        """The tuned rate's gain over one-cycle's."""
        return mean_ratio([(self.gains[:, 0], self.gains[:, 1])], self.confidence)

    @property
    def chosen(self) -> Mapping[float, int]:
        """The other constant rates, in order, and in how many cases each is chosen."""
        rates = {lr for case in self.cases for lr in case.other_rates.values()}
        best = Counter(case.other_rates[case.roles[TUNED]] for case in self.cases)
        return {lr: best[lr] for lr in sorted(rates)}

    @property
    def tried(self) -> list[int]:
        """How many other constant rates each case has."""
        return [len({*case.other_rates.values()}) for case in self.cases]

    @property
    def shown(self) -> bool:
        """Whether one-cycle gains anything of which there may be a part."""
        gain = estimate(self.gains[:, 1], self.confidence)
        return gain.above_zero and not gain.coincides


def shares(cases: Sequence[Case], confidence: float) -> list[Share]:
    """The share in each set of dense networks, over the cases that have all three arms."""
    three = [pair for case in cases if (pair := _gains(case))]
    large = {(small.study.name, small.key): most for small, most in three}
    found = []
    for family in by_family(distinct(small for small, _ in three)):
        gains = [runs(family), runs([large[one.study.name, one.key] for one in family])]
        both = np.column_stack([each[:, 0] - each[:, 1] for each in gains])
        found.append(Share([one.case for one in family], both, confidence))
    return found


def _gains(case: Case) -> tuple[Contrast, Contrast] | None:
    """Return the gains of the tuned rate and of one-cycle over fine-tuning, if a case has both."""
    small, large = (between_roles(case, role, FINETUNE) for role in (TUNED, ONECYCLE))
    return (small, large) if small and large else None


def summary(found: Sequence[Share]) -> str:
    """Say how much is captured, over all sets of dense networks and at least and most."""
    shown = [one for one in found if one.shown]
    if not shown:
        return "No study shows a gain of one-cycle over fine-tuning and has another constant rate."
    part = mean_ratio([(one.gains[:, 0], one.gains[:, 1]) for one in shown], shown[0].confidence)
    tried = [number for one in shown for number in one.tried]
    who = f"The best of the {span(tried, 'd')} tried" if max(tried) > 1 else "The one tried"
    said = f"{who} captures {_percent(part.value)} of one-cycle's gain over fine-tuning"
    if not math.isnan(part.low):
        said += f" [{_percent(part.low)} to {_percent(part.high)}]"
    if len(shown) > 1:
        each = [one.value.value for one in shown]
        said += f", the mean of {len(shown)} sets of dense networks, which have "
        said += f"{_percent(min(each))} to {_percent(max(each))}"
    return f"{said}. Others may capture more."


def text(found: Sequence[Share]) -> str:
    """The same, and the gains of each set of dense networks."""
    if not found:
        return summary(found)
    how = (
        "The gain of the best other constant rate over fine-tuning as a part of one-cycle's, "
        "both averaged over methods and budgets: cases in which one-cycle gains more weigh more. "
        "Where it gains nothing that is shown there is no part of it. Behind each rate that was "
        "tried: in how many cases, of a method and a budget, it is the one chosen, as the best on "
        "validation data or as the only one. Intervals take that choice as given."
    )
    return "\n\n".join([summary(found), how, markdown(HEADER, map(_row, found), left=2)])


def _row(one: Share) -> list[str]:
    gains = [with_interval(estimate(each, one.confidence)) for each in one.gains.T]
    share = "–"
    if one.shown:
        part = one.value
        share = f"{100 * part.value:.0f} [{100 * part.low:.0f}, {100 * part.high:.0f}]"
    names = listed([code(name) for name in dict.fromkeys(case.study.name for case in one.cases)])
    rates = ", ".join(f"{lr:g} ({cases})" for lr, cases in one.chosen.items())
    return [names, rates, str(len(one.gains)), *gains, true_minus(share)]


def _percent(part: float) -> str:
    return true_minus(f"{100 * part:.0f} %")
