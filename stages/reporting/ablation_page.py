"""The section on `compare.path`: every change, what it adds, and which one carries the whole."""

from collections.abc import Sequence

from stages.reporting.ablation import Ablation, Step
from stages.reporting.markdown import code, level, listed, table, with_interval


def section(found: Sequence[Ablation]) -> str:
    """What every method's way shows, in words and as a table."""
    parts = [f"{sentence(ablation)}\n\n{_table(ablation)}" for ablation in found]
    step, whole = found[0].steps[0], found[0].whole
    note = (
        "Each row is the later arm minus the earlier one, paired by seed. The intervals of single "
        f"changes have {level(step.confidence)} confidence, so that they hold "
        f"{level(whole.confidence)} together; that of the whole has {level(whole.confidence)}. A "
        "change is measured at its place on the way: in another order it may weigh differently."
    )
    return "\n\n".join([*parts, note])


def sentence(ablation: Ablation) -> str:
    """What one method's way shows."""
    whole = ablation.whole
    head = (
        f"**From {code(whole.first)} to {code(whole.second)}** on {code(ablation.method)}: "
        f"{with_interval(whole.difference)} points"
    )
    if not whole.difference.has_interval:
        return f"{head}, from one replicate, which says nothing about the changes in between."
    return f"{head}. {_carriers(ablation)}"


def _carriers(ablation: Ablation) -> str:
    resolved = [step for step in ablation.steps if step.resolved]
    others = [step for step in ablation.steps if not step.resolved]
    if not resolved:
        explained = (
            "so this run cannot tell which one carries the difference"
            if ablation.whole.resolved
            else "and neither can the whole"
        )
        return f"No single change can be told from 0 ({_within(others)}), {explained}."
    told = listed([f"{_change(step)} {with_interval(step.difference)}" for step in resolved])
    verb = "carries" if len(resolved) == 1 else "carry"
    text = f"{told} {verb} it" if ablation.whole.resolved else f"Told from 0: {told}"
    rest = listed([_change(step) for step in others])
    return f"{text}; {rest} cannot be told from 0 ({_within(others)})." if others else f"{text}."


def _within(steps: Sequence[Step]) -> str:
    largest = max(max(-step.difference.low, step.difference.high) for step in steps)
    return f"within ±{largest:.2f}"


def _change(step: Step) -> str:
    return listed([code(change) for change in step.changes])


def _table(ablation: Ablation) -> str:
    rows = [
        [_change(step), f"{code(step.first)} → {code(step.second)}", *_numbers(step)]
        for step in ablation.steps
    ]
    whole = ablation.whole
    rows.append(
        ["**all of these**", f"{code(whole.first)} → {code(whole.second)}", *_numbers(whole)]
    )
    return table(["Change", "Arms", "Points [interval]", "sd over seeds", "n"], rows, left=2)


def _numbers(step: Step) -> list[str]:
    value = step.difference
    return [with_interval(value), f"{value.sd:.2f}" if value.has_interval else "–", f"{value.n}"]
