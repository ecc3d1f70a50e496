"""From a study to its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stages.files import write_text
from stages.params.compare import Compare
from stages.reporting.ablation_figure import ablation_figure
from stages.reporting.budgets import has_budgets
from stages.reporting.dots import Field, Row, arms_figure
from stages.reporting.families import representatives
from stages.reporting.findings import Findings
from stages.reporting.lines import (
    Budgets,
    Curve,
    Traces,
    budget_figure,
    epochs_figure,
    lr_figure,
)
from stages.reporting.measures import dense_test, last_test, pruned_test, to_dense
from stages.reporting.records import Arm
from stages.reporting.results import Study
from stages.reporting.statistics import estimate
from stages.reporting.style import Look, looks, svg

Lines = Mapping[str, Sequence[str]]


def write_figures(folder: Path, found: Findings) -> None:
    """Write every figure as SVG."""
    for name, figure in draw(found).items():
        write_text(folder / f"{name}.svg", svg(figure))


def draw(found: Findings) -> dict[str, Figure]:
    """Draw the figures; `budget` and `ablation` only where there is something to draw."""
    study, settings, lines = found.study, found.settings, found.lines
    styles = _styles(lines)
    shown = representatives(study, lines, settings.baseline)
    figures = {
        "arms": arms_figure(
            [_field(found, method) for method in study.methods],
            styles,
            found.baseline,
            settings.confidence,
        ),
        "epochs": epochs_figure([_traces(study, m, shown) for m in study.methods], styles),
        "learning_rates": lr_figure(
            {name: to_curve(study.arms[settings.careful, name]) for name in shown}, styles
        ),
    }
    if has_budgets(lines):
        panels = [_budgets(study, settings, method, lines) for method in study.methods]
        figures["budget"] = budget_figure(panels, styles)
    if found.ablations:
        figures["ablation"] = ablation_figure(found.ablations)
    return figures


def to_curve(arm: Arm) -> Curve:
    """An arm's learning rate and momentum by epoch."""
    points = arm.curve_points
    return Curve([step / arm.steps_per_epoch for step in points.step], points.lr, points.momentum)


def _styles(lines: Lines) -> dict[str, Look]:
    by_line = looks(list(lines))
    members = {name: by_line[line] for line, names in lines.items() for name in names}
    return members | by_line


def _field(found: Findings, method: str) -> Field:
    rows = {}
    for arm in found.study.of(method):
        scores = last_test(arm)
        spread = estimate(scores, found.settings.confidence)
        rows[arm.schedule] = Row(to_curve(arm), scores.tolist(), spread, found.to_baseline(arm))
    baseline = found.study.baselines[method]
    dense, pruned = dense_test(baseline).mean(), pruned_test(baseline).mean()
    return Field(method, float(dense), float(pruned), rows)


def _traces(study: Study, method: str, shown: Sequence[str]) -> Traces:
    accuracy = {
        name: 100 * np.array([run.history.test_accuracy for run in arm.replicates])
        for name in shown
        for arm in [study.arms[method, name]]
    }
    return Traces(method, float(dense_test(study.baselines[method]).mean()), accuracy)


def _budgets(study: Study, settings: Compare, method: str, lines: Lines) -> Budgets:
    difference = {
        line: {arm.epochs: to_dense(study, settings, arm) for arm in arms}
        for line, names in lines.items()
        for arms in [[study.arms[method, name] for name in names]]
    }
    return Budgets(method, difference)
