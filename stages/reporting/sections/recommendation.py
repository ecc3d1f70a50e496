"""What to do, in the first lines: a schedule and a budget for every pruning method."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting.cautions import least_sure, weak
from stages.reporting.measures import kept_by, training_cost
from stages.reporting.recommendation import Recommendation, recommend
from stages.reporting.report import Report, Section
from stages.reporting.sentences import sentences
from stages.reporting.tables import folded
from stages.reporting.words import code

MOST = 3
"""Sentences on a method before the fold."""
MORE = "Cheaper settings, and what more replicates would tell"


@dataclass(frozen=True)
class Advice:
    """A report, and what it recommends for each method that has an arm to recommend."""

    report: Report
    recommended: Sequence[Recommendation]


def find(report: Report) -> Advice | None:
    """Recommend for every method; None where all arms diverged."""
    found = [recommend(report, method) for method in report.results.methods]
    recommended = [each for each in found if each]
    return Advice(report, recommended) if recommended else None


def text(advice: Advice) -> str:
    """At most MOST sentences for every method, how to get the network, and the rest folded."""
    report, first = advice.report, advice.recommended[0]
    brief, more = [], []
    for each in advice.recommended:
        said = sentences(report, each)
        brief.append(f"- {_head(report, each)} {' '.join(said[:MOST])}")
        more += [f"- {code(each.method)}: {' '.join(said[MOST:])}"] if said[MOST:] else []
    command = f"afterprune export --method {first.method} --schedule {first.best.schedule}"
    blocks = [*weak(report), "\n".join(brief), f"`{command}` writes such a network."]
    return "\n\n".join([*blocks, *([folded(MORE, "\n".join(more))] if more else [])])


def paragraph(report: Report, found: Recommendation) -> str:
    """Say what to use after a method."""
    return f"{_head(report, found)} {' '.join(sentences(report, found))}"


def table(advice: Advice) -> pd.DataFrame:
    """One row per method."""
    dense = advice.report.results.dense
    return pd.DataFrame(
        [
            {
                "method": each.method,
                "use": " ".join(each.names),
                "epochs": each.best.epochs,
                "retraining_macs_percent_of_dense_training": training_cost(each.best, dense),
                "cheapest_within_max_drop": (each.cheapest or each.best).schedule,
                "max_drop_points": each.max_drop,
                "least_sure_rival": least_sure(advice.report, each.contest)[0],
                "repeat_chance": least_sure(advice.report, each.contest)[1],
            }
            for each in advice.recommended
        ]
    )


def _head(report: Report, found: Recommendation) -> str:
    kept = f"{kept_by(report.results, found.method):.1f} % of the parameters kept"
    return f"After {code(found.method)} ({kept}):"


SECTION = Section("recommendation", "Recommendation", find, text, table)
