"""The answer in plain words: who wins under which budget, never more than the numbers allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting import effects
from stages.reporting.cautions import close_win, diverged
from stages.reporting.cautions import crossed as mixed
from stages.reporting.claims.evidence import Claim
from stages.reporting.crossing import Crossed, cross
from stages.reporting.factorials import Factorial
from stages.reporting.measures import kept_by, last_test
from stages.reporting.report import Cell, Report, Section
from stages.reporting.sections import ablation, claims, crossed, factorial
from stages.reporting.tables import mean_sd
from stages.reporting.words import (
    AGREE,
    MOST_NAMES,
    capital,
    code,
    count,
    crowd,
    level,
    listed,
    signed,
)
from stages.results.records import ArmResult
from stages.statistics.contests import Contest
from stages.statistics.estimates import Estimate

NOBODY = "no schedule"


@dataclass(frozen=True)
class Answer:
    """What the answer sums up: every contest, and what later sections find."""

    report: Report
    ablations: Sequence[ablation.Ablation]
    factorials: Sequence[Factorial]
    crossed: Crossed | None
    claims: Sequence[Claim]

    @property
    def contested(self) -> list[Cell]:
        """The cells with at least two arms."""
        return [cell for cell in self.report.cells if cell.contest.margins]


def find(report: Report) -> Answer:
    """Gather what the first section sums up."""
    return Answer(
        report,
        ablation.find(report) or [],
        factorial.find(report) or [],
        cross(report),
        claims.find(report).claims,
    )


def text(found: Answer) -> str:
    """A line that sums up; one per contest and per method's lone arms; then other sections'."""
    report = found.report
    lines = [_sentence(report, cell) for cell in found.contested]
    for method in report.results.methods:
        cells = [cell for cell in report.cells if cell.method == method]
        alone = [cell for cell in cells if not cell.contest.margins]
        lines += [_alone(report, alone)] if alone else []
        lines += [] if cells else [f"{_head(report, method)}: all arms diverged."]
    lines += [diverged(report)] if report.diverged else []
    lines += [ablation.sentence(item) for item in found.ablations]
    lines += [effects.summary(item) for item in found.factorials]
    if found.crossed:
        lines.append(crossed.sentence(found.crossed, report.settings.confidence))
    lines.append(f"{claims.summary(found.claims)} [Why](#{claims.ANCHOR}).")
    return f"**{_summary(found)}**\n\n" + "\n".join(f"- {line}" for line in lines)


def table(found: Answer) -> pd.DataFrame:
    """Per method and budget: of the arms that finished, that of the highest mean; if it wins."""
    columns = ["method", "epochs", "arms", "highest_mean", "winner"]
    columns += ["best_set", "identical"]
    return pd.DataFrame(
        [
            {
                "method": cell.method,
                "epochs": cell.epochs,
                "arms": 1 + len(cell.contest.margins),
                "highest_mean": cell.contest.best,
                "winner": cell.contest.winner or "none",
                "best_set": cell.contest.winner or " ".join(cell.contest.best_set),
                "identical": "; ".join(
                    " ".join([name, *twins]) for name, twins in cell.contest.twins.items()
                ),
            }
            for cell in found.report.cells
        ],
        columns=columns,
    )


def _summary(found: Answer) -> str:
    report, contested = found.report, found.contested
    if len(report.results.schedules) == 1:
        return "Only one schedule was run, so there is nothing to compare."
    if not report.cells:
        return "Every arm diverged, so there is nothing to compare."
    if not contested and report.diverged:
        return "No two schedules of equal epochs finished, so there is nothing to compare."
    if not contested:
        return "No two schedules have the same number of epochs, so there is nothing to compare."
    if not any(m.has_interval for cell in contested for m in cell.contest.margins.values()):
        return "One replicate names no winner: without a second seed there is no interval."
    line_of = {name: line for line, names in report.lines.items() for name in names}
    groups: dict[str, list[Cell]] = {}
    for cell in contested:
        winner = cell.contest.winner
        groups.setdefault(code(line_of[winner]) if winner else NOBODY, []).append(cell)
    if len({cell.epochs for cell in contested}) > 1:
        return _by_budget(groups, len(contested))
    methods = len(report.results.methods)
    parts = [f"{name} wins{_where(group, contested, methods)}" for name, group in groups.items()]
    return f"{capital('; '.join(parts))}."


def _by_budget(groups: Mapping[str, Sequence[Cell]], contests: int) -> str:
    kind = "contests (one per pruning method and budget)"
    wins = [f"{name} wins {len(group)}" for name, group in groups.items() if name != NOBODY]
    if not wins:
        return f"No schedule wins any of {contests} {kind}."
    left = len(groups.get(NOBODY, ()))
    rest = f"; {left} {'has' if left == 1 else 'have'} no winner" if left else ""
    return f"{capital(listed(wins))} of {contests} {kind}{rest}."


def _where(group: Sequence[Cell], contested: Sequence[Cell], methods: int) -> str:
    if methods == 1:
        return ""
    if len(group) == methods:
        scope = "each" if group[0].contest.winner else "any"
        return f" for {scope} of the {methods} pruning methods"
    if len(contested) > MOST_NAMES + 1:
        return f" for {len(group)} of {methods} pruning methods"
    return f" for {listed([code(cell.method) for cell in group])}"


def _sentence(report: Report, cell: Cell) -> str:
    best = report.results.arms[cell.method, cell.contest.best]
    result = f"{mean_sd(last_test(best))} % (n = {len(best.replicates)})"
    return (
        f"{_head(report, cell.method)}, {count(cell.epochs, 'epoch')}: "
        f"{_outcome(report, cell, result)}{_against_baseline(report, cell, best)} "
        f"{_identical(cell.contest)}"
        f"Against the dense network: {_points(report, report.to_dense(best))}."
    )


def _head(report: Report, method: str) -> str:
    rounds = max(arm.rounds for arm in report.results.of(method))
    repeats = f", {rounds} rounds of pruning" if rounds > 1 else ""
    return f"**{method}**, {kept_by(report.results, method):.1f} % of the parameters{repeats}"


def _outcome(report: Report, cell: Cell, result: str) -> str:
    contest = cell.contest
    best, closest = code(contest.best), contest.runner_up or ""
    margin = contest.margins[closest]
    interval = f"{level(report.settings.confidence)} interval {_range(margin)}"
    rivals = len(contest.margins)
    if contest.winner:
        ahead = (
            f"It is ahead of all {rivals} others; the closest, {code(closest)}, is behind"
            if rivals > 1
            else f"Its only rival, {code(closest)}, is behind"
        )
        small = ", too little to matter" if report.verdict(margin) == "same" else ""
        lead = f"by {margin.mean:.2f} points ({interval}){small}"
        first, second = (report.results.arms[cell.method, n] for n in (contest.best, closest))
        notes = filter(None, (close_win(report, contest), mixed(report, first, second)))
        return f"{best} **wins** with {result}. {ahead} {'; '.join([lead, *notes])}."
    if not margin.has_interval:
        return (
            f"{best} is highest with {result}, {margin.mean:.2f} points above {code(closest)}, "
            "which may be chance."
        )
    head = f"**no winner.** {best} is highest with {result}"
    if len(contest.best_set) == 1:
        return f"{head}, {margin.mean:.2f} points above {code(closest)}, undecided ({interval})."
    why = f"(best set, {_sure(report)}){_no_spread(contest)}"
    return f"{head}; the best may be {crowd(contest.best_set)} {why}."


def _sure(report: Report) -> str:
    return f"{level(report.settings.confidence)} confidence"


def _no_spread(contest: Contest) -> str:
    margins = [contest.margins[name] for name in contest.best_set if name != contest.best]
    return f", as {AGREE}" if all(margin.coincides for margin in margins) else ""


def _identical(contest: Contest) -> str:
    """Name the arms that did not compete, since another did the same."""
    return "".join(
        f"{capital(listed([code(twin) for twin in twins]))} "
        f"{'is' if len(twins) == 1 else 'are'} identical to {code(name)} and not counted again. "
        for name, twins in contest.twins.items()
    )


def _against_baseline(report: Report, cell: Cell, best: ArmResult) -> str:
    difference, baseline = report.to_baseline(best), report.baseline_of(best)
    if difference is None:
        return " It is the baseline arm."
    if cell.contest.winner and list(cell.contest.margins) == [baseline.schedule]:
        return ""
    if not difference.known:
        return f" The baseline {code(baseline.schedule)} diverged."
    budget = "" if best.epochs == baseline.epochs else f" of {count(baseline.epochs, 'epoch')}"
    points = _points(report, difference)
    note = mixed(report, best, baseline)
    points = f"{points}; {note}" if note else points
    return f" Against the baseline {code(baseline.schedule)}{budget} alone: {points}."


def _alone(report: Report, cells: Sequence[Cell]) -> str:
    arms = [report.results.arms[cell.method, cell.contest.best] for cell in cells]
    ends = [
        f"{code(arm.schedule)} ({count(arm.epochs, 'epoch')}) ends at {mean_sd(last_test(arm))} %, "
        f"against the dense network {_points(report, report.to_dense(arm))}"
        for arm in arms
    ]
    head = _head(report, cells[0].method)
    rival = "rival of equal epochs" + (" that finished" if report.diverged else "")
    return f"{head}, without a {rival}: {'; '.join(ends)}."


def _points(report: Report, value: Estimate) -> str:
    if not value.has_interval:
        return f"{signed(value.mean)} points"
    interval = f"{level(report.settings.confidence)} interval {_range(value)}"
    return f"{signed(value.mean)} points ({interval})"


def _range(value: Estimate) -> str:
    return f"{signed(value.low)} to {signed(value.high)}"


SECTION = Section("winners", "Answer", find, text, table)
