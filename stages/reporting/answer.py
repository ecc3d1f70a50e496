"""The answer in plain words: who wins under which budget, and never more than the numbers allow."""

from collections.abc import Mapping, Sequence

from stages.params.compare import Compare
from stages.reporting.ablation_page import sentence
from stages.reporting.crossing import reading
from stages.reporting.findings import Findings, Verdict
from stages.reporting.literature import summary
from stages.reporting.markdown import code, count, level, listed, mean_sd, signed
from stages.reporting.measures import kept_by, last_test, to_dense
from stages.reporting.results import Study
from stages.reporting.statistics import Contest, Estimate

MOST_NAMES = 3
NOBODY = "no schedule"
ANCHOR = "the-claims-of-the-literature"


def answer(found: Findings) -> str:
    """The first section: a line that sums up; one per contest, per method's lone arms; crossing."""
    study, settings = found.study, found.settings
    contested = [verdict for verdict in found.verdicts if verdict.contest.margins]
    lines = [_sentence(found, verdict) for verdict in contested]
    for method in study.methods:
        alone = [v for v in found.verdicts if v.method == method and not v.contest.margins]
        lines += [_alone(study, settings, alone)] if alone else []
    lines += [sentence(ablation) for ablation in found.ablations]
    lines += [reading(found.crossed, settings.confidence)] if found.crossed else []
    lines += [f"{summary(found.claims)} [Why](#{ANCHOR})."]
    return f"**{_summary(found, contested)}**\n\n" + "\n".join(f"- {line}" for line in lines)


def _summary(found: Findings, contested: Sequence[Verdict]) -> str:
    if len(found.study.schedules) == 1:
        return "Only one schedule was run, so there is nothing to compare."
    if not contested:
        return "No two schedules have the same number of epochs, so there is nothing to compare."
    if all(_single(verdict) for verdict in contested):
        return "One replicate names no winner: without a second seed there is no interval."
    line_of = {name: line for line, names in found.lines.items() for name in names}
    groups: dict[str, list[Verdict]] = {}
    for verdict in contested:
        winner = verdict.contest.winner
        groups.setdefault(code(line_of[winner]) if winner else NOBODY, []).append(verdict)
    if len({verdict.epochs for verdict in contested}) > 1:
        return _by_budget(groups, len(contested))
    parts = [f"{name} wins{_where(group, contested)}" for name, group in groups.items()]
    return f"{_capital('; '.join(parts))}."


def _by_budget(groups: Mapping[str, Sequence[Verdict]], contests: int) -> str:
    kind = "contests (one per pruning method and budget)"
    wins = [f"{name} wins {len(group)}" for name, group in groups.items() if name != NOBODY]
    if not wins:
        return f"No schedule wins any of {contests} {kind}."
    left = len(groups.get(NOBODY, ()))
    rest = f"; {left} {'has' if left == 1 else 'have'} no winner" if left else ""
    return f"{_capital(listed(wins))} of {contests} {kind}{rest}."


def _where(group: Sequence[Verdict], contested: Sequence[Verdict]) -> str:
    if len(contested) == 1:
        return ""
    if len(group) == len(contested):
        scope = "each" if group[0].contest.winner else "any"
        return f" for {scope} of the {len(group)} pruning methods"
    if len(contested) > MOST_NAMES + 1:
        return f" for {len(group)} of {len(contested)} pruning methods"
    return f" for {listed([code(verdict.method) for verdict in group])}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _single(verdict: Verdict) -> bool:
    return not any(margin.has_interval for margin in verdict.contest.margins.values())


def _sentence(found: Findings, verdict: Verdict) -> str:
    study, settings = found.study, found.settings
    best = study.arms[verdict.method, verdict.contest.best]
    result = f"{mean_sd(last_test(best))} % (n = {len(best.replicates)})"
    return (
        f"{_head(study, verdict.method)}, {count(verdict.epochs, 'epoch')}: "
        f"{_outcome(verdict.contest, result)}{_against_baseline(found, verdict)} "
        f"Against the dense network: {_points(to_dense(study, settings, best), settings)}."
    )


def _head(study: Study, method: str) -> str:
    rounds = study.of(method)[0].rounds
    turns = f", {rounds} rounds of pruning" if rounds > 1 else ""
    return f"**{method}**, {kept_by(study, method):.1f} % of the parameters{turns}"


def _outcome(contest: Contest, result: str) -> str:
    best, closest = code(contest.best), contest.runner_up or ""
    margin = contest.margins[closest]
    adjusted = f"{level(contest.confidence)} interval {_range(margin)}"
    rivals = len(contest.margins)
    if contest.winner:
        ahead = (
            f"It is ahead of all {rivals} others; the closest, {code(closest)}, is behind"
            if rivals > 1
            else f"Its only rival, {code(closest)}, is behind"
        )
        return f"{best} **wins** with {result}. {ahead} by {margin.mean:.2f} points ({adjusted})."
    if not margin.has_interval:
        return (
            f"{best} is highest with {result}, {margin.mean:.2f} points over {code(closest)}, "
            "which may be chance."
        )
    return (
        f"**no winner.** {best} is highest with {result}, but cannot be told apart from "
        f"{_crowd(contest)} ({level(contest.confidence)} intervals)."
    )


def _crowd(contest: Contest) -> str:
    names = [code(name) for name in contest.indistinct]
    if len(names) <= MOST_NAMES:
        return listed(names)
    rivals = len(contest.margins)
    share = "any" if len(names) == rivals else str(len(names))
    return f"{share} of its {rivals} rivals, {listed(names[:MOST_NAMES])} the closest"


def _against_baseline(found: Findings, verdict: Verdict) -> str:
    best = found.study.arms[verdict.method, verdict.contest.best]
    difference, baseline = found.to_baseline(best), found.baseline_of(best)
    if difference is None:
        return " It is the baseline arm."
    if verdict.contest.winner and list(verdict.contest.margins) == [baseline.schedule]:
        return ""
    budget = "" if best.epochs == baseline.epochs else f" of {count(baseline.epochs, 'epoch')}"
    told = _points(difference, found.settings)
    return f" Against the baseline {code(baseline.schedule)}{budget} alone: {told}."


def _alone(study: Study, settings: Compare, verdicts: Sequence[Verdict]) -> str:
    arms = [study.arms[verdict.method, verdict.contest.best] for verdict in verdicts]
    ends = [
        f"{code(arm.schedule)} ({count(arm.epochs, 'epoch')}) ends at {mean_sd(last_test(arm))} %, "
        f"against the dense network {_points(to_dense(study, settings, arm), settings)}"
        for arm in arms
    ]
    head = _head(study, verdicts[0].method)
    return f"{head}, without a rival of equal epochs: {'; '.join(ends)}."


def _points(value: Estimate, settings: Compare) -> str:
    if not value.has_interval:
        return f"{signed(value.mean)} points"
    interval = f"{level(settings.confidence)} interval {_range(value)}"
    return f"{signed(value.mean)} points ({interval})"


def _range(value: Estimate) -> str:
    return f"{signed(value.low)} to {signed(value.high)}"
