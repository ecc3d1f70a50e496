"""The pruning methods ranked under the baseline and under the best schedule, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from stages.reporting.crossing import choose
from stages.reporting.measures import last_test
from stages.reporting.report import Report, Section
from stages.reporting.tables import markdown, mean_columns, mean_sd
from stages.reporting.words import code, count, listed, signed
from stages.results.files import Results
from stages.statistics.interactions import FTest, interaction

FEWEST_METHODS = 3


@dataclass(frozen=True)
class Ranking:
    """Methods from best to worst mean test accuracy under one schedule.

    `scores` are percents, seeds by methods in that order; `p_value` is Friedman's, for methods that
    do not differ: ranks within each seed, None below two seeds or when all are equal.
    """

    schedule: str
    scores: pd.DataFrame
    p_value: float | None

    @property
    def methods(self) -> list[str]:
        """The methods, the best first."""
        return list(self.scores.columns)

    @property
    def spread(self) -> float:
        """The best method's mean minus the worst one's, in points."""
        means = self.scores.mean()
        return float(means.iloc[0] - means.iloc[-1])


@dataclass(frozen=True)
class Rankings:
    """The same methods under two schedules; `tau` is Kendall's correlation of their means.

    `interaction` tests whether the schedule changes how far the methods are apart; None where
    there is nothing to test. `diverged` are the methods that are left out, as an arm of theirs did.
    """

    baseline: Ranking
    best: Ranking
    tau: float
    confidence: float
    interaction: FTest | None
    diverged: Sequence[str] = ()


def find(report: Report) -> Rankings | None:
    """Rank the methods under both schedules; None with fewer than three or a single schedule."""
    results, settings = report.results, report.settings
    chosen = choose(report)
    if chosen is None or chosen[0] == settings.baseline:
        return None
    schedules = (settings.baseline, chosen[0])
    arms = {method: [results.arms[method, s] for s in schedules] for method in results.methods}
    diverged = [method for method in arms if any(arm.diverged for arm in arms[method])]
    methods = [method for method in arms if method not in diverged]
    if len(methods) < FEWEST_METHODS:
        return None
    one, other = (ranking(results, schedule, diverged) for schedule in schedules)
    means = [item.scores.mean().reindex(methods) for item in (one, other)]
    tau = float(stats.kendalltau(*means).statistic)
    both = np.stack([one.scores, other.scores[one.methods].reindex(one.scores.index)], axis=1)
    return Rankings(one, other, tau, settings.confidence, interaction(both), diverged)


def text(found: Rankings) -> str:
    """Both rankings as a table, and in words whether the method still matters."""
    rows = [
        [str(place), *_cells(found.baseline, place), *_cells(found.best, place)]
        for place in range(1, len(found.best.methods) + 1)
    ]
    heads = [head for item in (found.baseline, found.best) for head in (code(item.schedule), "%")]
    return f"{_words(found)}\n\n{markdown(['Rank', *heads], rows)}"


def table(found: Rankings) -> pd.DataFrame:
    """One row per schedule and rank, in percent."""
    return pd.DataFrame(
        [
            {
                "schedule": item.schedule,
                "rank": place,
                "method": method,
                **mean_columns("test_top1_percent", item.scores[method]),
                "n": len(item.scores),
            }
            for item in (found.baseline, found.best)
            for place, method in enumerate(item.methods, 1)
        ]
    )


def ranking(results: Results, schedule: str, without: Sequence[str] = ()) -> Ranking:
    """Rank the methods under one schedule, equal means in the order of params.yaml."""
    methods = [method for method in results.methods if method not in without]
    scores = pd.DataFrame({method: last_test(results.arms[method, schedule]) for method in methods})
    order = scores.mean().sort_values(ascending=False, kind="stable").index
    differ = len(scores) > 1 and bool((scores.nunique(axis=1) > 1).any())
    p_value = stats.friedmanchisquare(*scores.T.to_numpy()).pvalue if differ else None
    return Ranking(schedule, scores[order], None if p_value is None else float(p_value))


def _cells(item: Ranking, place: int) -> list[str]:
    method = item.methods[place - 1]
    return [code(method), mean_sd(item.scores[method])]


def _words(found: Rankings) -> str:
    parts = [_spread(item, found.confidence) for item in (found.baseline, found.best)]
    change = found.best.spread - found.baseline.spread
    return (
        f"{' '.join(parts)} From the one schedule to the other the span changes by "
        f"{signed(change)} points. {_interaction(found)}"
        f"The two rankings agree with Kendall's τ = {found.tau:.2f} "
        f"(1: the same order, 0: no relation, over {count(len(found.best.methods), 'method')})."
        f"{_left_out(found.diverged)}"
    )


def _interaction(found: Rankings) -> str:
    test = found.interaction
    if test is None:
        return ""
    says = (
        "The schedule changes how much the method matters"
        if test.p_value < 1 - found.confidence
        else "Whether the schedule changes how much the method matters is undecided"
    )
    degrees = f"{test.numerator:.1f}, {test.denominator:.1f}"
    return f"{says} (interaction, F({degrees}) = {test.statistic:.2f}, p = {test.p_value:.2g}). "


def _left_out(methods: Sequence[str]) -> str:
    names = listed([code(method) for method in methods])
    return f" Left out, as an arm diverged: {names}." if methods else ""


def _spread(item: Ranking, confidence: float) -> str:
    best, worst = code(item.methods[0]), code(item.methods[-1])
    span = (
        f"Under {code(item.schedule)} the methods span {item.spread:.2f} points, from {best} down "
        f"to {worst}"
    )
    if item.p_value is None:
        return f"{span}; one replicate cannot tell whether they differ."
    says = "they differ" if item.p_value < 1 - confidence else "they cannot be told apart"
    return f"{span}: {says} (Friedman test over seeds, p = {item.p_value:.2g})."


SECTION = Section(
    "rankings",
    "Does the pruning method still matter under the best schedule?",
    find,
    text,
    table,
)
