"""The section on the literature's claims: which hold on this run, which it cannot decide."""

from collections.abc import Sequence

import pandas as pd

from stages.params.compare import Compare
from stages.reporting.markdown import code, level, listed, with_interval
from stages.reporting.scene import Claim, Evidence, Statement
from stages.reporting.verdicts import Verdict

VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "cannot be decided")
PLURAL: dict[Verdict, str] = {
    "holds": "hold",
    "does not hold": "do not hold",
    "cannot be decided": "cannot be decided",
}


def summary(claims: Sequence[Claim]) -> str:
    """Which claims hold, in one sentence."""
    parts = []
    for verdict in VERDICTS:
        numbers = [f"{n}" for n, claim in enumerate(claims, 1) if claim.verdict == verdict]
        told = verdict if len(numbers) == 1 else PLURAL[verdict]
        parts += [f"{listed(numbers)} {told}"] if numbers else []
    return f"Of the literature's claims, {'; '.join(parts)}."


def section(claims: Sequence[Claim], settings: Compare) -> str:
    """Every claim, its verdict, and the differences that it rests on."""
    head = (
        f"{summary(claims)} They are judged on {code(settings.careful)}, by paired differences in "
        f"points with {level(settings.confidence)} intervals, each by itself; a gain that is "
        f"surely below {settings.margin:g} points counts as none. A claim holds if all of its "
        "parts do."
    )
    items = [
        "\n".join(
            [
                f"{number}. {claim.text}: **{claim.verdict}**.",
                *(f"   - {_part(statement)}" for statement in claim.statements),
            ]
        )
        for number, claim in enumerate(claims, 1)
    ]
    return "\n\n".join([head, "\n".join(items)])


def claims_table(claims: Sequence[Claim]) -> pd.DataFrame:
    """Every difference that a claim rests on, and what it says; one row for a part without any."""
    columns = ["claim", "part", "comparison", "epochs", "replicates"]
    columns += ["difference_points_mean", "difference_points_low", "difference_points_high"]
    rows = [
        {"claim": number, "part": statement.text, **row}
        for number, claim in enumerate(claims, 1)
        for statement in claim.statements
        for row in _rows(statement)
    ]
    return pd.DataFrame(rows, columns=[*columns, "verdict"])


def _rows(statement: Statement) -> list[dict[str, object]]:
    if not statement.evidence:
        return [{"verdict": f"cannot be decided: {statement.missing}"}]
    return [
        {
            "comparison": item.what.replace("`", ""),
            "epochs": " ".join(map(str, item.epochs)),
            "replicates": item.difference.n,
            "difference_points_mean": item.difference.mean,
            "difference_points_low": item.difference.low,
            "difference_points_high": item.difference.high,
            "verdict": item.verdict,
        }
        for item in statement.evidence
    ]


def _part(statement: Statement) -> str:
    verdict = f"{statement.text}: **{statement.verdict}**"
    if not statement.evidence:
        return f"{verdict}; {statement.missing}."
    text = f"{verdict}{_why(statement)}. {_told(statement.evidence)}"
    beside = f" Under one schedule: {_told(statement.beside)}" if statement.beside else ""
    return f"{text}{beside}"


def _why(statement: Statement) -> str:
    if statement.verdict != "cannot be decided":
        return ""
    unsure = [item for item in statement.evidence if item.verdict == "cannot be decided"]
    if not all(item.difference.has_interval for item in unsure):
        return ", from one replicate"
    return f", as {'an interval spans' if len(unsure) == 1 else 'intervals span'} 0"


def _told(evidence: Sequence[Evidence]) -> str:
    return (
        "; ".join(
            f"{item.what} {with_interval(item.difference)} ({_epochs(item.epochs)})"
            for item in evidence
        )
        + "."
    )


def _epochs(numbers: Sequence[int]) -> str:
    return f"{listed([str(number) for number in numbers])} epochs"
