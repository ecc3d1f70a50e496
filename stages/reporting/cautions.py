"""What a reader must know before the answer: where evidence is weak, which arms diverged."""

import math
from collections.abc import Sequence

from stages.reporting.crossing import PRUNING, changes, is_crossed
from stages.reporting.measures import dense_test
from stages.reporting.report import Report
from stages.reporting.words import capital, code, count, listed
from stages.results.records import ArmResult
from stages.statistics.contests import Contest
from stages.statistics.estimates import Estimate
from stages.statistics.power import repeat

FEW = 4
"""Replicates below which a page says that its verdicts are weak."""
CLOSE = 0.8
"""A verdict that a repeat would reach with a lower chance is a close call."""


def weak(report: Report) -> list[str]:
    """Return a warning where there is little evidence, or a dense network that is hardly one."""
    dense, fewest = report.results.dense, min(len(a.seeds) for a in report.results.arms.values())
    accuracy = float(dense_test(dense).mean())
    reasons = []
    if 1 < fewest < FEW:
        reasons.append(f"there are only {fewest} replicates: one more may change a verdict")
    if accuracy < 50 * (1 + dense.chance):
        reasons.append(
            f"the dense network gets {accuracy:.1f} % right, nearer to naming one class for all "
            f"images ({100 * dense.chance:.1f} %) than to all; what holds of it need not hold of "
            "one that is well trained"
        )
    if dense.given:
        reasons.append(
            "the dense network is one, that of train.weights: replicates differ in what pruning "
            "and retraining draw, not in the network that they start from"
        )
    text = capital("; ".join(reasons))
    return [f"> [!WARNING]\n> Weak evidence. {text}."] if reasons else []


def crossed(report: Report, first: ArmResult, second: ArmResult) -> str:
    """Say that a comparison of two arms is crossed, and of what, where it is; else nothing."""
    differing = changes(report, first, second)
    if not is_crossed(differing):
        return ""
    return f"a crossed comparison, of {listed(in_words(differing))} at once"


def in_words(differing: Sequence[str]) -> list[str]:
    """Return what two arms differ in as a sentence has it: keys as code."""
    return [each if each == PRUNING else code(each) for each in differing]


def close_call(report: Report, difference: Estimate) -> str:
    """Say that a verdict is a close call, where it is decided and is one; else nothing."""
    chance = report.repeats(difference)
    if report.verdict(difference) == "undecided" or chance >= CLOSE:
        return ""
    return f"a close call: {_again('this')} with a chance of {chance:.2f}"


def close_win(report: Report, contest: Contest) -> str:
    """The same of a winner, whose lead over the least sure rival must come again."""
    rival, chance = least_sure(report, contest)
    if not contest.winner or chance >= CLOSE:
        return ""
    lead = f"a lead over {code(rival)}"
    return f"a close call: {_again(lead)} with a chance of {chance:.2f}"


def least_sure(report: Report, contest: Contest) -> tuple[str, float]:
    """The rival that a repeat is least likely to find behind again, and the chance that it does.

    Without a winner there is none: an empty name, and NaN.
    """
    if not contest.winner:
        return "", math.nan
    chances = {
        name: repeat(lead, 0, report.levels)["better"] for name, lead in contest.margins.items()
    }
    rival = min(chances, key=lambda name: chances[name])
    return rival, chances[rival]


def _again(what: str) -> str:
    return f"a repeat with as many new replicates would find {what} again"


REPAIRS = {
    "batchnorm": "estimates the statistics of BatchNorm anew before training: that counts in the "
    "first epochs alone, and the weights that it trains are those of an arm without, to the bit",
    "batchnorm for blocks": "estimates the statistics of BatchNorm anew before its blocks are "
    "trained, to which these statistics count: the weights are others than those of an arm without",
    "variance": "matches the variances of channels to the dense network's before training. The "
    "last layer, and those that only BatchNorm reads, stay as they are: where the network has no "
    "others, this too estimates statistics and changes no weight",
}


def repairs(report: Report) -> str:
    """Say of arms that are repaired before training what that can change; else nothing."""
    found: dict[str, list[str]] = {}
    for name in report.results.schedules:
        technique = report.technique(name)
        if repair := technique.get("repair"):
            blocks = repair == "batchnorm" and "objective" in technique
            found.setdefault(f"{repair} for blocks" if blocks else repair, []).append(code(name))
    return " ".join(f"{listed(names)} {REPAIRS[repair]}." for repair, names in found.items())


def diverged(report: Report) -> str:
    """Name the arms that diverged, and say what that means for them."""
    methods: dict[tuple[str, str], list[str]] = {}
    for arm in report.diverged:
        methods.setdefault((arm.schedule, _places(arm)), []).append(code(arm.method))
    arms = "; ".join(
        f"{code(schedule)} on {listed(names)} ({places})"
        for (schedule, places), names in methods.items()
    )
    return (
        f"**Diverged**: {arms}. An arm with a replicate that diverged has no mean: it cannot win, "
        "and takes part in no comparison."
    )


def _places(arm: ArmResult) -> str:
    """Say how many replicates diverged, and in which epochs at which learning rates."""
    places = dict.fromkeys(
        f"epoch {run.epoch}"
        + (f" of round {run.round}" if arm.rounds > 1 else "")
        + f" at learning rate {run.lr:.4g}"
        for run in arm.diverged
    )
    of = f"{len(arm.diverged)} of {count(len(arm.seeds), 'replicate')}"
    return f"{of}, in {listed(list(places))}"
