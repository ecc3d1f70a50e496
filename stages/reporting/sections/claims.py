"""The claims of the literature: which hold in this study, which it cannot decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting.cautions import CLOSE
from stages.reporting.claims.evidence import Claim, Evidence, Part, Verdict
from stages.reporting.claims.published import published_claims
from stages.reporting.report import Report, Section
from stages.reporting.settings import Compare
from stages.reporting.tables import interval_columns, interval_names, with_interval
from stages.reporting.words import AGREE, code, decimal, level, listed

TITLE = "Claims of the literature"
ANCHOR = "claims-of-the-literature"
PLURAL: dict[Verdict, str] = {
    "holds": "hold",
    "does not hold": "do not hold",
    "cannot be decided": "cannot be decided",
}


@dataclass(frozen=True)
class Judged:
    """The claims, and the settings by which they were judged."""

    claims: Sequence[Claim]
    settings: Compare


def find(report: Report) -> Judged:
    """Judge every claim."""
    return Judged(published_claims(report), report.settings)


def text(found: Judged) -> str:
    """Every claim, its verdict, and the differences that it rests on."""
    settings = found.settings
    head = (
        f"{summary(found.claims)} They are judged on {code(settings.informed)}, by paired "
        f"differences in points with {level(settings.confidence)} intervals, each by itself; one "
        f"that is shown to lie within {settings.margin:g} points of 0 counts as none. A claim "
        "holds if all of its parts do."
    )
    lines = []
    for number, claim in enumerate(found.claims, 1):
        lines.append(f"{number}. {claim.text}: **{claim.verdict}**.")
        lines += [f"   - {_part(part)}" for part in claim.parts]
    return f"{head}\n\n" + "\n".join(lines)


def table(found: Judged) -> pd.DataFrame:
    """Every difference that a claim rests on, and what it says; one row for a part without any."""
    columns = ["claim", "part", "comparison", "epochs", "replicates"]
    columns += [*interval_names("difference_points"), "verdict", "repeat_chance"]
    rows = [
        {"claim": number, "part": part.text, **row}
        for number, claim in enumerate(found.claims, 1)
        for part in claim.parts
        for row in _rows(part)
    ]
    return pd.DataFrame(rows, columns=columns).astype({"replicates": "Int64"})


def summary(claims: Sequence[Claim]) -> str:
    """Which claims hold, in one sentence."""
    parts = []
    for verdict, plural in PLURAL.items():
        numbers = [str(n) for n, claim in enumerate(claims, 1) if claim.verdict == verdict]
        if len(numbers) == 1:
            parts.append(f"claim {numbers[0]} {verdict}")
        elif numbers:
            parts.append(f"claims {listed(numbers)} {plural}")
    return f"Of the literature's claims, {'; '.join(parts)}."


def _rows(part: Part) -> list[dict[str, object]]:
    if not part.evidence:
        return [{"verdict": f"cannot be decided: {part.missing}"}]
    return [
        {
            "comparison": item.what.replace("`", ""),
            "epochs": " ".join(map(str, item.epochs)),
            "replicates": item.difference.n,
            **interval_columns("difference_points", item.difference),
            "verdict": item.verdict,
            "repeat_chance": item.repeat_chance,
        }
        for item in part.evidence
    ]


def _part(part: Part) -> str:
    verdict = f"{part.text}: **{part.verdict}**"
    if not part.evidence:
        return f"{verdict}; {part.missing}."
    beside = f" Under one schedule: {_listing(part.beside)}." if part.beside else ""
    return f"{verdict}{_why(part)}. {_listing(part.evidence)}.{beside}"


def _why(part: Part) -> str:
    if part.verdict != "cannot be decided":
        return ""
    unsure = [item for item in part.evidence if item.verdict == "cannot be decided"]
    if gone := list(dict.fromkeys(name for item in unsure for name in item.diverged)):
        return f", as {listed(gone)} diverged"
    if not all(item.difference.has_interval for item in unsure):
        return ", from one replicate"
    spans = sum(not item.difference.coincides for item in unsure)
    reasons = [f"{'an interval spans' if spans == 1 else 'intervals span'} 0"] if spans else []
    reasons += [AGREE] if spans < len(unsure) else []
    return f", as {' and '.join(reasons)}"


def _listing(evidence: Sequence[Evidence]) -> str:
    return "; ".join(
        f"{item.what} {with_interval(item.difference)} ({_epochs(item.epochs)}{_close(item)})"
        for item in evidence
    )


def _close(item: Evidence) -> str:
    if item.verdict == "cannot be decided" or item.repeat_chance >= CLOSE:
        return ""
    return f"; a close call: a repeat would find it again with a chance of {item.repeat_chance:.2f}"


def _epochs(numbers: Sequence[float]) -> str:
    return f"{listed([decimal(number) for number in numbers])} epochs"


SECTION = Section("claims", TITLE, find, text, table)
