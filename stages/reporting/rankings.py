"""The pruning methods ranked under the baseline and under the best schedule, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from stages.params.compare import Compare
from stages.reporting.findings import choose
from stages.reporting.markdown import code, count, signed, table
from stages.reporting.measures import last_test
from stages.reporting.results import Study
from stages.reporting.statistics import estimate

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
    """The same methods under two schedules; `tau` is Kendall's correlation of their means."""

    baseline: Ranking
    best: Ranking
    tau: float


def rankings(study: Study, settings: Compare) -> Rankings | None:
    """Rank the methods under both schedules; None with fewer than three or a single schedule."""
    best, _ = choose(study, settings)
    if len(study.methods) < FEWEST_METHODS or best == settings.baseline:
        return None
    one, other = (ranking(study, schedule) for schedule in (settings.baseline, best))
    means = [item.scores.mean().reindex(study.methods) for item in (one, other)]
    return Rankings(one, other, float(stats.kendalltau(*means).statistic))


def ranking(study: Study, schedule: str) -> Ranking:
    """Rank all methods under one schedule, equal means in the order of params.yaml."""
    scores = pd.DataFrame({m: last_test(study.arms[m, schedule]) for m in study.methods})
    order = scores.mean().sort_values(ascending=False, kind="stable").index
    differ = len(scores) > 1 and bool((scores.nunique(axis=1) > 1).any())
    p_value = stats.friedmanchisquare(*scores.T.to_numpy()).pvalue if differ else None
    return Ranking(schedule, scores[order], None if p_value is None else float(p_value))


def ranking_table(found: Rankings) -> pd.DataFrame:
    """One row per schedule and rank, in percent."""
    rows = [
        {"schedule": item.schedule, "rank": place, "method": method, **_summary(item, method)}
        for item in (found.baseline, found.best)
        for place, method in enumerate(item.methods, 1)
    ]
    return pd.DataFrame(rows)


def section(found: Rankings, confidence: float) -> str:
    """Both rankings as a table, and in words whether the method still matters."""
    rows = [
        [str(place), *_cells(found.baseline, place), *_cells(found.best, place)]
        for place in range(1, len(found.best.methods) + 1)
    ]
    heads = [head for item in (found.baseline, found.best) for head in (code(item.schedule), "%")]
    return f"{_words(found, confidence)}\n\n{table(['Rank', *heads], rows)}"


def _cells(item: Ranking, place: int) -> list[str]:
    method = item.methods[place - 1]
    scores = estimate(item.scores[method], 0.95)
    spread = f" ± {scores.sd:.2f}" if scores.has_interval else ""
    return [code(method), f"{scores.mean:.2f}{spread}"]


def _summary(item: Ranking, method: str) -> dict[str, float | int]:
    scores = estimate(item.scores[method], 0.95)
    return {
        "test_top1_percent_mean": scores.mean,
        "test_top1_percent_sd": scores.sd,
        "n": scores.n,
    }


def _words(found: Rankings, confidence: float) -> str:
    parts = [_spread(item, confidence) for item in (found.baseline, found.best)]
    change = found.best.spread - found.baseline.spread
    return (
        f"{' '.join(parts)} From the one schedule to the other the span changes by "
        f"{signed(change)} points; the two rankings agree with Kendall's τ = {found.tau:.2f} "
        f"(1: the same order, 0: no relation, over {count(len(found.best.methods), 'method')})."
    )


def _spread(item: Ranking, confidence: float) -> str:
    ends: Sequence[str] = [code(item.methods[0]), code(item.methods[-1])]
    span = f"Under {code(item.schedule)} the methods span {item.spread:.2f} points, from {ends[0]}"
    if item.p_value is None:
        return f"{span} down to {ends[1]}; one replicate cannot tell whether they differ."
    says = "they differ" if item.p_value < 1 - confidence else "they cannot be told apart"
    return f"{span} down to {ends[1]}: {says} (Friedman test over seeds, p = {item.p_value:.2g})."
