"""The report of a study: its page, its tables and its figures, all in the order of SECTIONS."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.pipeline.files import write_text
from stages.reporting.measures import last_validation
from stages.reporting.report import Report, Section
from stages.reporting.sections import (
    ablation,
    answer,
    arms,
    budgets,
    calibration,
    claims,
    classes,
    crossed,
    environment,
    epochs,
    factorial,
    heat,
    learning_rates,
    metrics,
    moved,
    networks,
    peaks,
    rankings,
    recommendation,
    replicates,
    tradeoffs,
)
from stages.reporting.style import svg
from stages.reporting.tables import as_csv
from stages.reporting.words import code, count, level, listed

SECTIONS: tuple[Section[Any], ...] = (
    recommendation.SECTION,
    arms.SECTION,
    arms.PAIRED,
    answer.SECTION,
    ablation.SECTION,
    factorial.SECTION,
    budgets.SECTION,
    peaks.SECTION,
    peaks.LAWS,
    tradeoffs.SECTION,
    heat.SECTION,
    crossed.SECTION,
    rankings.SECTION,
    claims.SECTION,
    networks.SECTION,
    metrics.SECTION,
    calibration.SECTION,
    classes.SECTION,
    moved.SECTION,
    epochs.SECTION,
    learning_rates.SECTION,
    environment.SECTION,
    replicates.SECTION,
)
TEMPLATE = "page.md.j2"
Difference = tuple[str, str, str]
"""A key of params.yaml, its default and its value in this study as text, a dash for none."""


def page(
    report: Report,
    differences: Sequence[Difference] = (),
    timed: Sequence[str] = (),
    corrupted: Sequence[str] = (),
) -> str:
    """The whole page as Markdown; `differences` are those from the default settings.

    Stages of their own write latency/<method>.csv for the methods that are `timed`, and
    corruptions/<method>.csv for those that are tested on `corrupted` images.
    """
    templates = Environment(  # noqa: S701, the page is Markdown
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["cell"] = _cell
    sections = list(_found(report))
    arms = report.results.arms.values()
    return templates.get_template(TEMPLATE).render(
        scope=_scope(report),
        differences=differences,
        timed=timed,
        corrupted=corrupted,
        sections=[(section, section.text(found)) for section, found in sections if section.text],
        tables=[section.name for section, _ in sections if section.table],
        confidence=level(report.settings.confidence),
        error=level(1 - report.settings.confidence),
        margin=f"{report.settings.margin:g}",
        look=_look(report),
        validated=any(last_validation(arm).notna().any() for arm in arms),
        diverged=bool(report.diverged),
        fresh=any(arm.start == "fresh" for arm in arms),
    )


def write_tables(folder: Path, report: Report) -> None:
    """Write every table of the study as CSV."""
    for section, found in _found(report):
        if section.table:
            write_text(folder / f"{section.name}.csv", as_csv(section.table(found)))


def write_figures(folder: Path, report: Report) -> None:
    """Write every figure as SVG."""
    for section, found in _found(report):
        if section.figure:
            write_text(folder / f"{section.name}.svg", svg(section.figure(found)))


def _found(report: Report) -> Iterator[tuple[Section[Any], Any]]:
    """Yield the sections that have something to show, and what they found."""
    for section in SECTIONS:
        if (found := section.find(report)) is not None:
            yield section, found


def _scope(report: Report) -> str:
    results = report.results
    runs = sorted({len(arm.seeds) for arm in results.arms.values()})
    number = listed([str(run) for run in runs], "or")
    lost, arms = sum(len(arm.diverged) for arm in report.diverged), len(report.diverged)
    diverged = f" {count(lost, 'replicate')} of {count(arms, 'arm')} diverged." if lost else ""
    return (
        f"{count(len(results.methods), 'pruning method')} × "
        f"{count(len(results.schedules), 'retraining schedule')}, "
        f"{number} {'replicate' if runs == [1] else 'replicates'} each.{diverged}"
    )


def _look(report: Report) -> str:
    """Say at which look the study is judged; nothing where none are planned."""
    look = report.look
    if look is None:
        return ""
    planned = listed([str(number) for number in look.planned])
    return (
        f"This study grows: looks were planned at {planned} replicates, and this is the one at "
        f"{look.replicates}. Its intervals have {level(report.settings.confidence)}, and each test "
        f"of **same** has a level of {level(look.levels.equivalence)}, so that all looks together "
        f"are wrong in about {level(1 - look.confidence)} of studies (O'Brien-Fleming spending; "
        "Lan & DeMets 1983)."
    )


def _cell(text: str) -> str:
    """Return a setting as a table's cell."""
    return text if text == "–" else code(text.replace("|", "\\|"))
