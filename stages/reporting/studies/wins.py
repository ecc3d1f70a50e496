"""Which schedule wins how often."""

import json
from collections.abc import Iterator, Sequence

import pandas as pd

from stages.reporting.studies.kept import Kept
from stages.reporting.studies.origins import compact
from stages.reporting.tables import markdown
from stages.reporting.words import code, count, listed

CELL = ["method", "epochs"]
CONTEST = ["study", *CELL]
ROLES = ("contests", "wins", "highest", "in the best set")
TITLE = "Which schedule wins"


def summary(studies: Sequence[Kept]) -> str:
    """Who wins how many contests, of all and of those among three schedules or more."""
    found = joined(studies)
    if found.empty:
        return "No study has two curves of equal epochs."
    many = found[found.groupby(CONTEST).wins.transform("size") > 2]
    number = count(found.groupby(CONTEST).ngroups, "contest")
    said = f"Of {number} (one pruning method, one budget, several schedules), {_won(found)}"
    if 0 < len(many) < len(found):
        left = many.groupby(CONTEST).ngroups
        said += f"; of the {left} among three schedules or more, {_won(many)}"
    return f"{said}."


def _won(found: pd.DataFrame) -> str:
    """Say who wins how many contests."""
    by_line = found.groupby("line", sort=False).wins.sum().sort_values(ascending=False)
    won = [f"{code(str(line))} wins {number}" for line, number in by_line.items() if number]
    lost = int((found.groupby(CONTEST).wins.sum() == 0).sum())
    return listed([*won, *([f"no schedule wins {lost}"] if lost else [])])


def text(studies: Sequence[Kept]) -> str:
    """How many contests each schedule wins, and which names mean several schedules."""
    by_line = joined(studies).groupby("line", sort=False)
    table = by_line[list(ROLES)].sum().assign(studies=by_line.study.nunique())
    table = table.sort_values(["wins", "highest", "contests"], ascending=False, kind="stable")
    rows = [
        [code(str(line)), str(row["studies"]), *(str(row[role]) for role in ROLES)]
        for line, row in table.iterrows()
    ]
    head = (
        "A contest is one method and one budget under several schedules, not all of one curve. One "
        "whose arms are all in a larger contest of another study is part of that."
    )
    header = ["Schedule", "Studies", *(role.capitalize() for role in ROLES)]
    return "\n\n".join([head, markdown(header, rows), *_ambiguous(studies)])


def joined(studies: Sequence[Kept]) -> pd.DataFrame:
    """The entries of all studies; a contest among arms that a larger one has too is part of it."""
    found = pd.concat([entries(study) for study in studies], ignore_index=True)
    found = found.astype(dict.fromkeys(ROLES, int))  # without contests they are no numbers
    contests = [(set(rows.arm), rows.index) for _, rows in found.groupby(CONTEST, sort=False)]
    part = [
        index
        for at, (arms, rows) in enumerate(contests)
        if any(
            arms < other or (arms == other and to < at) for to, (other, _) in enumerate(contests)
        )
        for index in rows
    ]
    return found.drop(index=part).reset_index(drop=True)


def entries(study: Kept) -> pd.DataFrame:
    """One row for each contest and each line that takes part in it, its roles as 0 or 1.

    Arms that diverged take no part, nor do contests of a single arm or a single curve, which say
    nothing of one schedule against another.
    """
    arms, winners = study.tables["arms"], study.tables["winners"]
    arms = arms[arms.diverged == 0].assign(study=study.name, contests=1)
    joined = arms.merge(winners[winners.arms > 1], on=CELL)
    joined = joined[joined.groupby(CELL).curve.transform("nunique") > 1].copy()
    best_sets = joined.best_set.str.split(" ")
    joined["wins"] = (joined.schedule == joined.winner).astype(int)
    joined["highest"] = (joined.schedule == joined.highest_mean).astype(int)
    joined["in the best set"] = [
        int(name in best) for name, best in zip(joined.schedule, best_sets, strict=True)
    ]
    arm = [
        compact([study.networks, study.method_forms[method], study.schedule_forms[name], epochs])
        for method, name, epochs in joined[["method", "schedule", "epochs"]].itertuples(index=False)
    ]
    return joined.assign(line=joined.schedule.map(study.line_of), arm=arm)


def _ambiguous(studies: Sequence[Kept]) -> Iterator[str]:
    """Name the lines that are set differently in different studies."""
    settings: dict[str, dict[str, list[str]]] = {}
    for study in studies:
        for name, entry in study.schedules.items():
            rest = {key: value for key, value in entry.items() if key != "epochs"}
            users = settings.setdefault(study.line_of[name], {})
            users.setdefault(json.dumps(rest, sort_keys=True), []).append(study.name)
    for line, variants in settings.items():
        if len(variants) > 1:
            groups = [listed([code(n) for n in dict.fromkeys(v)]) for v in variants.values()]
            yield f"{code(line)} has other settings in {', others in '.join(groups[1:])}."
