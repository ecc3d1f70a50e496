"""What a full factorial says, in sentences: what is decided, the same within the margin, open."""

from collections.abc import Sequence

from stages.reporting.factorials import Factorial, Judged
from stages.reporting.tables import with_interval
from stages.reporting.words import capital, code, listed
from stages.statistics.estimates import estimate


def sentence(factorial: Factorial) -> str:
    """What one method's factorial says: main effects, interactions, exchanges."""
    head = f"**{factorial.method}**"
    if why := _unknown(factorial):
        return f"{head}: {why}."
    parts = [
        _mains(factorial, [each for each in factorial.effects if each.main]),
        _interactions(factorial, [each for each in factorial.effects if not each.main]),
        _exchanges(factorial, factorial.exchanges),
    ]
    return f"{head}. {' '.join(parts)}"


def summary(factorial: Factorial) -> str:
    """The same in brief: the effects that are decided."""
    head = f"**{listed([code(key) for key in factorial.design.factors])}** on "
    head += f"{code(factorial.method)}, each with and without the others"
    if why := _unknown(factorial):
        return f"{head}: {why}."
    decided = [each for each in factorial.effects if each.decided]
    mains = [each for each in decided if each.main]
    others = [each for each in decided if not each.main]
    parts = [_mains(factorial, mains)] if mains else []
    parts += [_interactions(factorial, others)] if others else []
    return f"{head}: {' '.join(parts) or 'no effect is decided.'}"


def label(judged: Judged) -> str:
    """Return the name of a contrast: its keys, and how they stand to each other."""
    between = " instead of " if judged.contrast.exchange else " × "
    return between.join(map(code, judged.keys))


def _unknown(factorial: Factorial) -> str:
    """Say why nothing is known of the effects, where that is so."""
    if factorial.diverged:
        names = listed([code(name) for name in factorial.diverged])
        return f"{names} diverged, so no effect is known"
    if not factorial.contrasts[0].contrast.difference.has_interval:
        return "one replicate, which says nothing about effects"
    return ""


def _mains(factorial: Factorial, found: Sequence[Judged]) -> str:
    decided = [_measured(each) for each in found if each.decided]
    same = [label(each) for each in found if each.verdict == "same"]
    parts = [f"{listed(decided)} {'matters' if len(decided) == 1 else 'matter'}"] if decided else []
    if same:
        verb = "changes" if len(same) == 1 else "change"
        parts.append(f"{listed(same)} {verb} less than {factorial.settings.margin:g} points")
    return _sentence([*parts, *_open(found)])


def _interactions(factorial: Factorial, found: Sequence[Judged]) -> str:
    parts = [
        f"{_measured(each)}: these do not add up{_apart(factorial, each)}"
        for each in found
        if each.decided
    ]
    if same := [label(each) for each in found if each.verdict == "same"]:
        verb = "adds" if len(same) == 1 else "add"
        parts.append(f"{listed(same)} {verb} up to within {factorial.settings.margin:g} points")
    return _sentence([*parts, *_open(found)])


def _apart(factorial: Factorial, interaction: Judged) -> str:
    """Say what one key does at each level of another: its effect less or plus the interaction.

    Nothing of an interaction of three or more.
    """
    if len(interaction.keys) > 2:
        return ""
    first, second = interaction.keys
    main = next(e for e in factorial.effects if e.keys == [first]).contrast.by_seed
    half, confidence = interaction.contrast.by_seed, interaction.contrast.confidence
    low, high = (with_interval(estimate(main + sign * half, confidence)) for sign in (-1, 1))
    where = f"{low} where {code(second)} is low and {high} where it is high"
    return f", as {code(first)} changes {where}"


def _exchanges(factorial: Factorial, found: Sequence[Judged]) -> str:
    parts, unsure = [], []
    for each in found:
        first, second = map(code, each.keys)
        value = with_interval(each.contrast.difference)
        match each.verdict:
            case "better":
                parts.append(f"{first} does more than {second} ({value})")
            case "worse":
                parts.append(f"{first} does less than {second} ({value})")
            case "same":
                margin = f"{factorial.settings.margin:g} points"
                parts.append(f"{first} and {second} do as much to within {margin}")
            case _:
                unsure.append(f"{first} or {second} ({value})")
    left = [f"which does more is open: {listed(unsure)}"] if unsure else []
    return _sentence([*parts, *left])


def _open(found: Sequence[Judged]) -> list[str]:
    names = [_measured(each) for each in found if each.verdict == "undecided"]
    return [f"{listed(names)} {'is' if len(names) == 1 else 'are'} open"] if names else []


def _sentence(parts: Sequence[str]) -> str:
    return f"{capital('; '.join(parts))}."


def _measured(judged: Judged) -> str:
    return f"{label(judged)} {with_interval(judged.contrast.difference)}"
