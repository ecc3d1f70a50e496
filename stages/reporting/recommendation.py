"""What to do after a pruning: a schedule and a budget, never more than the numbers allow.

`sentences` says it in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.reporting.measures import last_test
from stages.reporting.peaks import PeakCell, peaks_around
from stages.reporting.report import Report
from stages.results.records import ArmResult
from stages.statistics.contests import Contest
from stages.statistics.estimates import Estimate, paired
from stages.statistics.images import TwoLevel
from stages.statistics.ratios import Ratio, ratio


@dataclass(frozen=True)
class Constant:
    """A tuned constant learning rate: the arm, its gain over the baseline as a part of the best's.

    `behind` is the best arm's difference to it.
    """

    arm: ArmResult
    captured: Ratio
    behind: Estimate


@dataclass(frozen=True)
class Recommendation:
    """Which of a method's arms to use, among arms of one budget.

    `names` are the schedules of the winner, or of the best set; `best` is the first, of the highest
    mean. `gain` is its difference to the baseline arm, None where it is that itself, also with an
    interval for new test images; `constant` the best other arm of a constant learning rate, if
    there is one. `shorter` is an arm of a shorter budget that is not shown to be worse, `cheapest`
    the arm of least training cost that is shown to lose less than `max_drop` points to `best`, if
    that costs more. `peaks` are the peaks of the best arm's curve, where several were tried.
    """

    method: str
    contest: Contest
    names: Sequence[str]
    best: ArmResult
    baseline: ArmResult
    gain: Estimate | None
    gain_for_new_images: TwoLevel | None
    constant: Constant | None
    shorter: ArmResult | None
    cheapest: ArmResult | None
    max_drop: float
    peaks: PeakCell | None


def recommend(
    report: Report, method: str, epochs: int | None = None, max_drop: float | None = None
) -> Recommendation | None:
    """Return what to use after a method, with a budget of at most `epochs`; None without an arm.

    Among the budgets within that, the one of the arm of the highest mean; `max_drop` is the margin
    of the report where it is not given. Arms that start fresh are controls, and arms with a
    replicate that diverged are out.
    """
    arms = [
        arm
        for arm in report.results.of(method)
        if arm.start != "fresh" and not arm.diverged and arm.epochs <= (epochs or arm.epochs)
    ]
    if not arms:
        return None
    top = max(arms, key=lambda arm: float(last_test(arm).mean()))
    rivals = [arm for arm in arms if arm.epochs == top.epochs]
    contest = report.contest(rivals)
    drop = report.settings.margin if max_drop is None else max_drop
    baseline = report.baseline_of(top)
    comparable = baseline is not top and not baseline.diverged and baseline.epochs == top.epochs
    return Recommendation(
        method=method,
        contest=contest,
        names=[contest.winner] if contest.winner else contest.best_set,
        best=top,
        baseline=baseline,
        gain=report.to_baseline(top) if comparable else None,
        gain_for_new_images=report.for_new_images(top, baseline) if comparable else None,
        constant=_constant(report, rivals, top, baseline) if comparable else None,
        shorter=_shorter(report, arms, top),
        cheapest=_cheapest(report, arms, top, drop),
        max_drop=drop,
        peaks=peaks_around(report, top),
    )


def _shorter(report: Report, arms: Sequence[ArmResult], top: ArmResult) -> ArmResult | None:
    """Return the cheapest arm of fewer epochs that is not shown to be worse; None if all are.

    One of the same schedule where there is one.
    """
    tried = [arm for arm in arms if arm.epochs < top.epochs and len(arm.seeds) > 1]
    near = [arm for arm in tried if report.verdict(report.gap(top, arm)) != "better"]
    line = next(names for names in report.lines.values() if top.schedule in names)
    own = [arm for arm in near if arm.schedule in line]
    return min(own or near, key=_price, default=None)


def _price(arm: ArmResult) -> tuple[float, float]:
    """Return what arms are ordered by, the cheapest first, of equals the highest."""
    return arm.training_macs, -float(last_test(arm).mean())


def _constant(
    report: Report, rivals: Sequence[ArmResult], top: ArmResult, baseline: ArmResult
) -> Constant | None:
    """Return the best arm of a constant learning rate that is neither best nor baseline."""
    still = [
        arm
        for arm in rivals
        if arm is not top
        and arm.schedule != baseline.schedule
        and arm.start == "final"
        and report.is_plain(arm.schedule)
        and len(set(arm.points.lr)) == 1
    ]
    gain = report.to_baseline(top)
    if not still or gain is None or report.verdict(gain) != "better":
        return None
    arm = max(still, key=lambda arm: float(last_test(arm).mean()))
    ours, low, best = last_test(arm), last_test(baseline), last_test(top)
    confidence = report.settings.confidence
    captured = ratio(ours - low, best - low, confidence)
    return Constant(arm, captured, paired(best, ours, confidence))


def _cheapest(
    report: Report, arms: Sequence[ArmResult], top: ArmResult, drop: float
) -> ArmResult | None:
    """Return the cheapest arm whose loss to the best is shown to be below `drop`; else None."""
    two_sided = 2 * report.settings.confidence - 1  # its upper end is the one-sided bound
    losses = {arm.schedule: paired(last_test(top), last_test(arm), two_sided) for arm in arms}
    near = [
        arm
        for arm in arms
        if arm is top or (losses[arm.schedule].high < drop and not losses[arm.schedule].coincides)
    ]
    cheapest = min(near, key=_price)
    return None if cheapest.training_macs >= top.training_macs else cheapest
