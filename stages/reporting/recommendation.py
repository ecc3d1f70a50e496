"""What to do after a pruning: a schedule and a budget, never more than the numbers allow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.reporting.cautions import close_call, close_win
from stages.reporting.measures import last_test, training_cost
from stages.reporting.report import Report
from stages.reporting.tables import with_interval
from stages.reporting.words import code, count, level, listed
from stages.results.records import ArmResult
from stages.statistics.contests import Contest
from stages.statistics.estimates import Estimate, paired
from stages.statistics.images import TwoLevel
from stages.statistics.power import difference_power, replicates_needed
from stages.statistics.ratios import Ratio, ratio

POWER = 0.8
MOST = 48
"""Replicates up to which is said how many would tell arms apart."""


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
    """Which of a method's arms to use: those that nobody beats, among arms of one budget.

    `names` are their schedules, `best` the first, of the highest mean. `gain` is its difference to
    the baseline arm, None where it is that itself, also with an interval for new test images;
    `constant` the best other arm of a constant
    learning rate, if there is one; `cheapest` the arm of least training cost that is shown to lose
    less than `max_drop` points to `best`, if that costs more.
    """

    method: str
    contest: Contest
    names: Sequence[str]
    best: ArmResult
    baseline: ArmResult
    gain: Estimate | None
    gain_for_new_images: TwoLevel | None
    constant: Constant | None
    cheapest: ArmResult | None
    max_drop: float


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
        names=_unbeaten(report, contest),
        best=top,
        baseline=baseline,
        gain=report.to_baseline(top) if comparable else None,
        gain_for_new_images=report.for_new_images(top, baseline) if comparable else None,
        constant=_constant(report, rivals, top, baseline) if comparable else None,
        cheapest=_cheapest(report, arms, top, drop),
        max_drop=drop,
    )


def sentences(report: Report, found: Recommendation) -> list[str]:
    """Say it: what to use, what the baseline loses, what it costs, what more replicates give."""
    said = [_use(report, found)]
    if found.gain is not None:
        said.append(_loses(report, found))
    if found.constant is not None:
        said.append(_captures(report, found.constant, found.baseline))
    if found.cheapest is not None:
        said.append(_cheap(report, found.cheapest, found))
    more = separating(report, found.contest)
    return [*said, *([more] if more else [])]


def separating(report: Report, found: Contest) -> str:
    """Say how many replicates would tell the highest arm from the next, if it is not told yet."""
    close = found.runner_up
    if found.winner or close is None or not found.margins[close].has_interval:
        return ""
    margin = found.margins[close]
    if report.verdict(margin) == "same":
        return f"{code(found.best)} and {code(close)} are as good, whatever more replicates say."
    error = report.last_levels.difference
    needed = replicates_needed(
        lambda n: difference_power(margin.mean, margin.sd, n, error), POWER, MOST
    )
    number = f"more than {MOST}" if needed is None else f"about {needed}"
    return (
        f"Telling {code(found.best)} from {code(close)} takes {number} replicates, if the "
        f"difference is as it looks ({margin.mean:.2f} points; power {100 * POWER:.0f} %)."
    )


def _use(report: Report, found: Recommendation) -> str:
    names, arm = [code(name) for name in found.names], found.best
    cost = f"{training_cost(arm, report.results.dense):.0f} % of the cost of dense training"
    budget = f"for {count(arm.epochs, 'epoch')} ({cost})"
    if not found.contest.margins:
        why = "the only arm of its budget"
    elif found.contest.winner:
        margin = found.contest.margins[found.contest.runner_up or ""]
        small = ", too little to matter" if report.verdict(margin) == "same" else ""
        why = f"ahead of every rival, the closest by {_plain(margin)} points{small}"
        why += _semicolon(close_win(report, found.contest))
    elif len(arm.seeds) < 2:
        why = "highest, but one replicate decides nothing"
    elif len(names) == 1:
        why = "ahead, though some rival may be as good"
    else:
        why = "no arm is shown to beat them"
    return f"Use {listed(names, 'or')} {budget}: {why}."


def _loses(report: Report, found: Recommendation) -> str:
    assert found.gain is not None
    name, lost = f"baseline {code(found.baseline.schedule)}", _plain(found.gain)
    match report.verdict(found.gain):
        case "better":
            close = _semicolon(close_call(report, found.gain))
            return f"The {name} loses {lost} points{_also(found.gain_for_new_images)}{close}."
        case "same":
            return f"The {name} is as good, to within {report.settings.margin:g} points ({lost})."
        case "worse":
            return f"The {name} is better: the loss is {lost} points."
    return f"Whether the {name} loses anything is undecided ({lost} points)."


def _semicolon(text: str) -> str:
    return f"; {text}" if text else ""


def _also(wider: TwoLevel | None) -> str:
    if wider is None:
        return ""
    both = f"{wider.low:.2f} to {wider.high:.2f}".replace("-", "−")
    return f" on this test set, {both} on new test images too"


def _plain(value: Estimate) -> str:
    """A loss in points, without the sign of a gain."""
    return with_interval(value).replace("+", "")


def _captures(report: Report, tuned: Constant, baseline: ArmResult) -> str:
    rate = f"{tuned.arm.points.lr[0]:g}"
    part, confidence = tuned.captured, level(report.settings.confidence)
    share, sure = f"{100 * part.value:.0f} %", ""
    if not math.isnan(part.low):
        share += f" [{100 * part.low:.0f}, {100 * part.high:.0f}]"
        sure = f" ({confidence} interval)"
    verdict = report.verdict(tuned.behind)
    rest = {
        "better": f"and is still {_plain(tuned.behind)} points behind",
        "same": "and is as good",
    }.get(verdict, f"and may be as good ({_plain(tuned.behind)} points behind)")
    return (
        f"Fine-tuning at a constant {rate} ({code(tuned.arm.schedule)}) gets {share} of that gain "
        f"over {code(baseline.schedule)}{sure}, {rest}."
    )


def _cheap(report: Report, arm: ArmResult, found: Recommendation) -> str:
    cost = training_cost(arm, report.results.dense)
    return (
        f"Within {found.max_drop:g} points of it, {code(arm.schedule)} is cheapest: "
        f"{count(arm.epochs, 'epoch')}, {cost:.0f} % of the cost of dense training."
    )


def _unbeaten(report: Report, contest: Contest) -> list[str]:
    """Return the winner alone, or the best arm and all of the best set that it does not beat."""
    margins = contest.margins
    if contest.winner or not any(margin.has_interval for margin in margins.values()):
        return [contest.best]
    others = [name for name in contest.best_set if name != contest.best]
    return [contest.best, *(n for n in others if report.verdict(margins[n]) != "better")]


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

    def cost(arm: ArmResult) -> tuple[float, float]:
        return arm.training_macs, -float(last_test(arm).mean())

    two_sided = 2 * report.settings.confidence - 1  # its upper end is the one-sided bound
    losses = {arm.schedule: paired(last_test(top), last_test(arm), two_sided) for arm in arms}
    near = [
        arm
        for arm in arms
        if arm is top or (losses[arm.schedule].high < drop and not losses[arm.schedule].coincides)
    ]
    cheapest = min(near, key=cost)
    return None if cheapest.training_macs >= top.training_macs else cheapest
