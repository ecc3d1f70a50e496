import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from stages.reporting.page import SECTIONS, write_figures
from stages.reporting.plots import SampledCurve, sampled
from stages.reporting.sections.learning_rates import lr_figure
from stages.reporting.style import looks
from tests.reporting.helpers import report_of
from tests.results.study import SCHEDULES


def draw(report):
    """Return every figure of a report by name."""
    drawn = {section.name: section for section in SECTIONS if section.figure}
    found = {name: section.find(report) for name, section in drawn.items()}
    return {name: drawn[name].figure(value) for name, value in found.items() if value is not None}


def colors(panel):
    return [line.get_color() for line in panel.get_lines()]


def test_a_schedule_has_one_colour_in_every_figure(make_study):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle", "linear"]
    figures = draw(report_of(make_study(methods, schedules), methods, schedules))
    style = looks(schedules)["linear"].color
    assert colors(figures["learning_rates"].axes[2]) == [style]
    assert colors(figures["epochs"].axes[0])[2] == style
    assert colors(figures["epochs"].axes[1])[2] == style
    assert colors(figures["arms"].axes[0])[-1] == style
    assert colors(figures["arms"].axes[1])[-1] == style


@pytest.mark.parametrize("others", [["scaled", "linear"], ["finetune"], ["mine"]])
def test_a_schedule_has_one_colour_in_every_study(make_study, monkeypatch, others):
    monkeypatch.setitem(SCHEDULES, "mine", SCHEDULES["cosine"])
    schedules = [*others, "onecycle"]
    figures = draw(report_of(make_study(["l1"], schedules), ["l1"], schedules))
    assert colors(figures["learning_rates"].axes[-1]) == ["#E69F00"]
    assert colors(figures["epochs"].axes[0])[len(others)] == "#E69F00"


def test_dots_show_every_replicate(make_study):
    report = report_of(make_study(["l1"], ["finetune"], seeds=4), ["l1"], ["finetune"])
    drawn = [line.get_xdata() for line in draw(report)["arms"].axes[1].get_lines()]
    runs = report.results.arms["l1", "finetune"].replicates
    accuracies = [100 * run.last.test["accuracy"] for run in runs]
    assert any(len(xs) == 4 and np.allclose(xs, accuracies) for xs in drawn)


def test_every_row_has_its_curve_on_one_scale(make_study):
    schedules = ["finetune", "onecycle"]
    figure = draw(report_of(make_study(["l1"], schedules), ["l1"], schedules))["arms"]
    small, cycle = (line.get_ydata() for line in figure.axes[0].get_lines())
    # rows count downwards: 0 is finetune's, 1 onecycle's; a large rate is drawn high in its row
    assert np.ptp(small) == pytest.approx(0)
    assert 0.64 < min(cycle) < 0.68
    assert 1 - min(cycle) > 0 - small[0] > 1 - max(cycle)


def test_rates_over_decades_have_a_logarithmic_axis():
    def scale(lr):
        return lr_figure({"a": SampledCurve([0, 1, 2], lr, [0.9] * 3)}).axes[0].get_yscale()

    assert scale([0.001, 0.1, 0.0]) == "log"
    assert scale([0.1, 0.1, 0.01]) == "linear"


def test_cycled_momentum_is_noted_and_constant_momentum_too():
    def notes(momentum):
        figure = lr_figure({"a": SampledCurve([0, 1, 2], [0.1] * 3, momentum)})
        return [text.get_text() for text in figure.axes[0].texts]

    assert notes([0.95, 0.85, 0.95]) == ["momentum 0.95 → 0.85 → 0.95"]
    assert notes([0.9, 0.9, 0.9]) == ["momentum 0.9"]


def test_a_curve_runs_over_epochs(make_study):
    report = report_of(make_study(["l1"], ["finetune"]), ["l1"], ["finetune"])
    curve = sampled(report.results.arms["l1", "finetune"])
    assert curve.epoch[0] == 0
    # the last of 20 steps of the last of 72 epochs
    assert curve.epoch[-1] == pytest.approx(71.95)


def test_budgets_are_drawn_only_when_there_are_several(make_study):
    schedules = ["finetune", "onecycle"]
    folder = make_study(["l1"], schedules)
    assert "budgets" not in draw(report_of(folder, ["l1"], schedules))
    entries = {"finetune": {"curve": "a"}, "onecycle": {"curve": "a", "epochs": 40}}
    figure = draw(report_of(folder, ["l1"], schedules, entries))["budgets"]
    assert figure.axes[0].get_title(loc="left") == "l1"


def test_one_replicate_and_one_schedule_can_be_drawn(make_study, tmp_path):
    report = report_of(make_study(["l1"], ["finetune"], seeds=1), ["l1"], ["finetune"])
    write_figures(tmp_path / "figures", report)
    files = sorted((tmp_path / "figures").iterdir())
    assert [path.name for path in files] == ["arms.svg", "epochs.svg", "learning_rates.svg"]
    assert all("<svg" in path.read_text() for path in files)


def test_arm_names_do_not_overlap_in_a_large_study(make_study):
    methods = ["l1", "random", "fpgm", "taylor", "hrank", "magnitude"]
    schedules = ["finetune", "onecycle", "onecycle_high_momentum", "linear", "scaled", "cosine"]
    figure = draw(report_of(make_study(methods, schedules), methods, schedules))["arms"]
    figure.draw_without_rendering()
    for panel in figure.axes[::3]:
        boxes = [label.get_window_extent() for label in panel.get_yticklabels()]
        assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
        assert min(box.x0 for box in boxes) >= 0


SCRIPT = """
import sys
from pathlib import Path
from stages.reporting.page import page, write_figures, write_tables
from stages.reporting.report import Report
from stages.reporting.settings import Compare
from stages.results.files import read_results
source, out = map(Path, sys.argv[1:])
results = read_results(source, ["l1"], ["finetune", "onecycle"])
settings = Compare(baseline="finetune", informed="l1", random="l1")
report = Report(results, settings, {"finetune": {"curve": 1}, "onecycle": {"curve": 2}})
write_figures(out, report)
write_tables(out, report)
(out / "page.md").write_text(page(report))
assert not {"torch", "matplotlib.pyplot"} & set(sys.modules), "torch or pyplot was imported"
"""


def test_a_report_is_equal_bytes_in_two_processes_without_torch_or_pyplot(make_study, tmp_path):
    folder = make_study(["l1"], ["finetune", "onecycle"])
    for name in ("one", "two"):
        command = [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / name)]
        subprocess.run(command, capture_output=True, check=True)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert first == second
    assert sum(name.endswith(".svg") for name in first) == 3
