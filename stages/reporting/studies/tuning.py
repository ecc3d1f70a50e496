"""How much of one-cycle's gain over fine-tuning a constant rate captures that was tuned."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.reporting.studies.contrasts import Contrast, by_family, contrasts, distinct, runs
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.roles import FINETUNE, ONECYCLE, TUNED, by_role
from stages.reporting.tables import markdown, with_interval
from stages.reporting.words import code, listed, true_minus
from stages.statistics.estimates import estimate
from stages.statistics.ratios import Ratio, mean_ratio, ratio

TITLE = "What tuning the constant rate captures"


@dataclass(frozen=True)
class Share:
    """What one set of dense networks says: gains [seed] in points, and their ratio of means."""

    studies: Sequence[str]
    gains: NDArray[np.float64]
    """[seed, 2]: of the tuned rate and of one-cycle, over fine-tuning."""
    confidence: float

    @property
    def value(self) -> Ratio:
        """The tuned rate's gain over one-cycle's, with Fieller's interval."""
        return ratio(self.gains[:, 0], self.gains[:, 1], self.confidence)

    @property
    def shown(self) -> bool:
        """Whether one-cycle gains anything of which there may be a part."""
        return estimate(self.gains[:, 1], self.confidence).above_zero


def shares(studies: Sequence[Kept], confidence: float) -> list[Share]:
    """The share in each set of dense networks, over the cases that have all three arms."""
    best = {_case(one): one for one in _over_finetune(studies, ONECYCLE)}
    tuned = distinct(one for one in _over_finetune(studies, TUNED) if _case(one) in best)
    found = []
    for family in by_family(tuned):
        small, large = runs(family), runs([best[_case(one)] for one in family])
        gains = np.column_stack([small[:, 0] - small[:, 1], large[:, 0] - large[:, 1]])
        names = list(dict.fromkeys(one.study.name for one in family))
        found.append(Share(names, gains, confidence))
    return found


def summary(found: Sequence[Share]) -> str:
    """Say how much is captured, over all sets of dense networks and at least and most."""
    shown = [one for one in found if one.shown]
    if not shown:
        return "No study shows a gain of one-cycle over fine-tuning beside a constant rate between."
    part = mean_ratio([(one.gains[:, 0], one.gains[:, 1]) for one in shown], shown[0].confidence)
    said = f"{_percent(part.value)} of one-cycle's gain over fine-tuning"
    if not math.isnan(part.low):
        said += f" [{_percent(part.low)} to {_percent(part.high)}]"
    if len(shown) > 1:
        each = [one.value.value for one in shown]
        said += f", the mean of {len(shown)} sets of dense networks, in which it is "
        said += f"{_percent(min(each))} to {_percent(max(each))}"
    return f"{said}."


def text(found: Sequence[Share]) -> str:
    """The same, and the gains of each set of dense networks."""
    if not found:
        return summary(found)
    header = ["Studies", "n", "Tuned − fine-tuning, points", "One-cycle − fine-tuning, points"]
    how = (
        "The gain of a tuned constant rate over fine-tuning as a part of one-cycle's, averaged "
        "over methods and budgets by seed; intervals are Fieller's. Where one-cycle gains nothing "
        "that is shown there is no part of it."
    )
    return "\n\n".join(
        [summary(found), how, markdown([*header, "Captured, %"], map(_row, found), left=1)]
    )


def _over_finetune(studies: Sequence[Kept], role: str) -> list[Contrast]:
    return [one for study in studies for one in contrasts(study, by_role(study), role, FINETUNE)]


def _case(one: Contrast) -> tuple[str, str, float]:
    return one.study.name, one.method, one.epochs


def _row(one: Share) -> list[str]:
    gains = [with_interval(estimate(each, one.confidence)) for each in one.gains.T]
    part = one.value
    share = f"{100 * part.value:.0f}" if one.shown else "–"
    if one.shown and not math.isnan(part.low):
        share += f" [{100 * part.low:.0f}, {100 * part.high:.0f}]"
    names = listed([code(name) for name in one.studies])
    return [names, str(len(one.gains)), *gains, true_minus(share)]


def _percent(part: float) -> str:
    return true_minus(f"{100 * part:.0f} %")
