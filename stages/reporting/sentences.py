"""What is recommended, in sentences."""

import math

from stages.reporting.cautions import close_call, close_win, crossed
from stages.reporting.measures import training_cost
from stages.reporting.peaks import PeakCell, in_words
from stages.reporting.recommendation import Constant, Recommendation
from stages.reporting.report import Report
from stages.reporting.tables import with_interval
from stages.reporting.words import AGREE, code, count, crowd, level, true_minus
from stages.results.records import ArmResult
from stages.statistics.contests import Contest
from stages.statistics.estimates import Estimate
from stages.statistics.images import TwoLevel
from stages.statistics.power import MOST, POWER, difference_power, replicates_needed


def sentences(report: Report, found: Recommendation) -> list[str]:
    """Say it: what to use, what the baseline loses, what it costs, what more replicates give."""
    said = [_use(report, found)]
    if found.peaks is not None:
        said.append(_peak(report, found.peaks))
    if found.gain is not None:
        said.append(_loses(report, found))
    if found.constant is not None:
        said.append(_captures(report, found.constant, found.baseline))
    if found.cheapest is not None:
        said.append(_cheap(report, found.cheapest, found))
    more = separating(report, found.contest)
    return [*said, *([more] if more else [])]


def separating(report: Report, found: Contest) -> str:
    """Say how many replicates would tell the highest arm from the next that it does not beat."""
    open_ones = {name: m for name, m in found.margins.items() if m.coincides or not m.above_zero}
    if not any(margin.has_interval for margin in open_ones.values()):
        return ""
    close = min(open_ones, key=lambda name: open_ones[name].mean)
    margin, error = open_ones[close], report.last_levels.difference
    if report.verdict(margin) == "same":
        return f"{code(found.best)} and {code(close)} are {_same(report)}."
    needed = replicates_needed(
        lambda n: difference_power(margin.mean, margin.sd, n, error), seen=margin.n
    )
    number = f"more than {MOST}" if needed is None else f"about {needed}"
    return (
        f"Telling {code(found.best)} from {code(close)} takes {number} replicates, if the "
        f"difference is as it looks ({margin.mean:.2f} points; power {100 * POWER:.0f} %)."
    )


def _use(report: Report, found: Recommendation) -> str:
    arm = found.best
    cost = f"{training_cost(arm, report.results.dense):.0f} % of the cost of dense training"
    budget = f"for {count(arm.epochs, 'epoch')} ({cost})"
    shorter = _semicolon(_shorter(report, found.shorter, arm))
    return f"Use {code(arm.schedule)} {budget}: {_why(report, found.contest)}{shorter}."


def _why(report: Report, found: Contest) -> str:
    """Say why the highest arm of a contest is recommended, and no more than is shown."""
    if not found.margins:
        return "the only arm of its budget"
    if found.winner:
        margin = found.margins[found.runner_up or ""]
        small = ", too little to matter" if report.verdict(margin) == "same" else ""
        lead = f"the closest by {_plain(margin)} points{small}"
        close = _semicolon(close_win(report, found))
        return f"ahead of every rival of its budget, {lead}{close}"
    if not any(margin.has_interval for margin in found.margins.values()):
        return "highest, but one replicate decides nothing"
    if len(found.best_set) == 1:
        return "ahead, though some rival of its budget may be as good"
    sure = f"{level(report.settings.confidence)} confidence"
    return f"highest of its budget, where the best may be {crowd(found.best_set)} ({sure})"


def _shorter(report: Report, arm: ArmResult | None, best: ArmResult) -> str:
    """Say that an arm of a shorter budget may do as well."""
    if arm is None:
        return ""
    same = report.verdict(report.gap(best, arm)) == "same"
    known = f"is {_same(report)}" if same else "is not shown to be worse"
    return f"{code(arm.schedule)} for {count(arm.epochs, 'epoch')} {known}"


def _same(report: Report) -> str:
    return f"the same to within {report.settings.margin:g} points"


def _loses(report: Report, found: Recommendation) -> str:
    assert found.gain is not None
    name, lost = f"baseline {code(found.baseline.schedule)}", _plain(found.gain)
    mixed = _semicolon(crossed(report, found.best, found.baseline))
    match report.verdict(found.gain):
        case "better":
            also = _also(found.gain_for_new_images) + _semicolon(close_call(report, found.gain))
            return f"The {name} loses {lost} points{also}{mixed}."
        case "same":
            return f"The {name} is {_same(report)} ({lost}){mixed}."
        case "worse":
            return f"The {name} is better: the loss is {lost} points{mixed}."
    why = f", as {AGREE}" if found.gain.coincides else ""
    return f"Whether the {name} loses anything is undecided ({lost} points){why}{mixed}."


def _peak(report: Report, found: PeakCell) -> str:
    """Say where the best peak of the arm's curve is."""
    assert report.dense_peak is not None
    return (
        "The best peak of its curve, for this size and budget, is "
        f"{in_words(found.best)} of the dense run's largest learning rate, "
        f"{in_words(found.best, report.dense_peak)}."
    )


def _semicolon(text: str) -> str:
    return f"; {text}" if text else ""


def _also(wider: TwoLevel | None) -> str:
    if wider is None:
        return ""
    both = true_minus(f"{wider.low:.2f} to {wider.high:.2f}")
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
        "same": f"and is {_same(report)}",
    }.get(verdict, f"and may be as good ({_plain(tuned.behind)} points behind)")
    return (
        f"Fine-tuning at a constant {rate} ({code(tuned.arm.schedule)}) gets {true_minus(share)} "
        f"of that gain over {code(baseline.schedule)}{sure}, {rest}."
    )


def _cheap(report: Report, arm: ArmResult, found: Recommendation) -> str:
    cost = training_cost(arm, report.results.dense)
    return (
        f"Within {found.max_drop:g} points of it, {code(arm.schedule)} is cheapest: "
        f"{count(arm.epochs, 'epoch')}, {cost:.0f} % of the cost of dense training."
    )
