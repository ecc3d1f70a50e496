"""The claims of the literature, study by study."""

import math
from collections.abc import Iterator, Sequence
from typing import cast

import pandas as pd

from stages.reporting.claims.evidence import Verdict, together
from stages.reporting.claims.published import CLAIMS
from stages.reporting.studies.kept import Kept
from stages.reporting.tables import markdown, with_interval
from stages.reporting.words import code
from stages.statistics.estimates import Estimate

UNASKED = "–"
HEADER = ("Study", "Comparison", "Epochs", "Difference, points", "n", "Repeat", "Verdict")


def text(studies: Sequence[Kept]) -> str:
    """A table of verdicts, study by claim, and below it the differences that they rest on."""
    header = ["Study", *(f"Claim {number}" for number in range(1, len(CLAIMS) + 1))]
    rows = [[code(study.name), *_verdicts(study)] for study in studies]
    parts = [
        markdown(header, rows, left=len(header)),
        f"{UNASKED}: the study has not the arms that the claim is about. A claim holds where all "
        "its parts do; one of which a study has the arms for some parts alone cannot be decided.",
    ]
    for number, claim in enumerate(CLAIMS, 1):
        parts += [f"### {number}. {claim}", *_parts(studies, number)]
    return "\n\n".join(parts)


def _verdicts(study: Kept) -> Iterator[str]:
    """Yield what a study says of each claim."""
    rows = study.tables["claims"]
    for number in range(1, len(CLAIMS) + 1):
        ours = rows[rows.claim == number]
        asked = ours.comparison.notna().any()
        yield together(map(_bare, ours.verdict)) if asked else UNASKED


def _parts(studies: Sequence[Kept], number: int) -> Iterator[str]:
    """Yield the parts of a claim: how often each holds, and the differences by study."""
    tables = {study.name: study.tables["claims"] for study in studies}
    joined = pd.concat(tables, names=["study"]).reset_index("study")
    joined = joined[(joined.claim == number) & joined.comparison.notna()]
    if joined.empty:
        yield "No study has the arms for it."
    for part, rows in joined.groupby("part", sort=False):
        yield f"{part}: {_tally(rows)}."
        yield markdown(HEADER, [_row(row) for _, row in rows.iterrows()], left=2)


def _tally(rows: pd.DataFrame) -> str:
    """Say in how many studies a part holds, does not hold, and cannot be decided."""
    by_study = rows.groupby("study", sort=False).verdict
    found = [together(map(_bare, verdicts)) for _, verdicts in by_study]
    counts = [f"**{each}** in {found.count(each)}" for each in dict.fromkeys(found)]
    return f"{', '.join(counts)} of {len(found)}"


def _row(row: "pd.Series[str]") -> list[str]:
    ends = (float(row[f"difference_points_{end}"]) for end in ("mean", "low", "high"))
    mean, low, high = ends
    difference = Estimate(mean, math.nan, int(row["replicates"]), low, high)
    chance = float(row["repeat_chance"])
    return [
        code(row["study"]),
        code(row["comparison"]),
        row["epochs"],
        with_interval(difference),
        str(difference.n),
        UNASKED if math.isnan(chance) else f"{chance:.2f}",
        row["verdict"],
    ]


def _bare(verdict: str) -> Verdict:
    """Return a verdict without the reason why there is none."""
    return cast(Verdict, verdict.partition(":")[0])
