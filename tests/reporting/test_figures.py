import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from stages.params.compare import Compare
from stages.reporting.figures import draw, to_curve
from stages.reporting.findings import find
from stages.reporting.lines import Curve, lr_figure
from stages.reporting.results import read_study
from stages.reporting.style import looks, svg


def study_of(folder, methods, schedules, entries=None):
    settings = Compare(baseline=schedules[0], careful=methods[0], random=methods[-1])
    entries = entries or {name: {"curve": name} for name in schedules}
    return find(read_study(folder, methods, schedules), settings, entries)


def colors(cell):
    return [line.get_color() for line in cell.get_lines()]


def test_a_schedule_has_one_colour_in_every_figure(make_study):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle", "linear"]
    figures = draw(study_of(make_study(methods, schedules), methods, schedules))
    style = looks(schedules)["linear"].color
    assert colors(figures["learning_rates"].axes[2]) == [style]
    assert colors(figures["epochs"].axes[0])[2] == style
    assert colors(figures["epochs"].axes[1])[2] == style
    assert colors(figures["arms"].axes[0])[-1] == style
    assert colors(figures["arms"].axes[1])[-1] == style


def test_twelve_schedules_look_different():
    styles = looks([f"schedule_{index}" for index in range(12)]).values()
    assert len({(look.color, look.dash) for look in styles}) == 12


def test_dots_show_every_replicate(make_study):
    found = study_of(make_study(["l1"], ["finetune"], seeds=4), ["l1"], ["finetune"])
    drawn = [line.get_xdata() for line in draw(found)["arms"].axes[1].get_lines()]
    accuracies = [100 * r.last.test.accuracy for r in found.study.arms["l1", "finetune"].replicates]
    assert any(len(xs) == 4 and np.allclose(xs, accuracies) for xs in drawn)


def test_every_row_has_its_curve_on_one_scale(make_study):
    schedules = ["finetune", "onecycle"]
    figure = draw(study_of(make_study(["l1"], schedules), ["l1"], schedules))["arms"]
    small, cycle = (line.get_ydata() for line in figure.axes[0].get_lines())
    # rows count downwards: 0 is finetune's, 1 onecycle's; a large rate is drawn high in its row
    assert np.ptp(small) == pytest.approx(0)
    assert 0.64 < min(cycle) < 0.68
    assert 1 - min(cycle) > 0 - small[0] > 1 - max(cycle)


def test_rates_over_decades_have_a_logarithmic_axis():
    def scale(lr):
        return lr_figure({"a": Curve([0, 1, 2], lr, [0.9] * 3)}).axes[0].get_yscale()

    assert scale([0.001, 0.1, 0.0]) == "log"
    assert scale([0.1, 0.1, 0.01]) == "linear"


def test_cycled_momentum_is_told_and_constant_momentum_too():
    def notes(momentum):
        figure = lr_figure({"a": Curve([0, 1, 2], [0.1] * 3, momentum)})
        return [text.get_text() for text in figure.axes[0].texts]

    assert notes([0.95, 0.85, 0.95]) == ["momentum 0.95 → 0.85 → 0.95"]
    assert notes([0.9, 0.9, 0.9]) == ["momentum 0.9"]


def test_a_curve_runs_over_epochs(make_study):
    found = study_of(make_study(["l1"], ["finetune"]), ["l1"], ["finetune"])
    curve = to_curve(found.study.arms["l1", "finetune"])
    assert curve.epoch[0] == 0
    assert curve.epoch[-1] == pytest.approx(72, abs=0.01)


def test_budgets_are_drawn_only_when_there_are_several(make_study):
    schedules = ["finetune", "onecycle"]
    folder = make_study(["l1"], schedules)
    assert "budget" not in draw(study_of(folder, ["l1"], schedules))
    entries = {"finetune": {"curve": "a"}, "onecycle": {"curve": "a", "epochs": 40}}
    figure = draw(study_of(folder, ["l1"], schedules, entries))["budget"]
    assert figure.axes[0].get_title(loc="left") == "l1"


def test_one_replicate_and_one_schedule_can_be_drawn(make_study):
    found = study_of(make_study(["l1"], ["finetune"], seeds=1), ["l1"], ["finetune"])
    assert all("<svg" in svg(figure) for figure in draw(found).values())


def test_arm_names_do_not_overlap_in_a_large_study(make_study):
    methods = ["l1", "random", "fpgm", "taylor", "hrank", "magnitude"]
    schedules = ["finetune", "onecycle", "onecycle_high_momentum", "linear", "scaled", "cosine"]
    figure = draw(study_of(make_study(methods, schedules), methods, schedules))["arms"]
    figure.draw_without_rendering()
    for cell in figure.axes[::3]:
        boxes = [label.get_window_extent() for label in cell.get_yticklabels()]
        assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
        assert min(box.x0 for box in boxes) >= 0


SCRIPT = """
import sys
from pathlib import Path
from stages.params.compare import Compare
from stages.reporting.figures import draw
from stages.reporting.findings import find
from stages.reporting.results import read_study
from stages.reporting.style import svg
study = read_study(Path(sys.argv[1]), ["l1"], ["finetune", "onecycle"])
settings = Compare(baseline="finetune", careful="l1", random="l1")
found = find(study, settings, {"finetune": {"curve": 1}, "onecycle": {"curve": 2}})
sys.stdout.write("".join(svg(figure) for figure in draw(found).values()))
assert not {"torch", "matplotlib.pyplot"} & set(sys.modules), "torch or pyplot was imported"
"""


def test_figures_are_equal_bytes_in_two_processes_without_torch_or_pyplot(make_study):
    folder = make_study(["l1"], ["finetune", "onecycle"])
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    first, second = (subprocess.run(command, capture_output=True, check=True) for _ in "12")
    assert first.stdout == second.stdout
    assert first.stdout.count(b"</svg>") == 3
