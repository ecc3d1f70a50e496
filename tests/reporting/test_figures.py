import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from stages.reporting.page import SECTIONS, write_figures
from stages.reporting.plots import SampledCurve, floor, sampled
from stages.reporting.sections.learning_rates import lr_figure
from stages.reporting.style import COLORS, DARK, WIDTH, contrast, looks, settle, svg
from tests.reporting.helpers import change, count_images, report_of
from tests.results.study import SCHEDULES, write_study


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
    assert colors(figures["learning_rates"].axes[-1]) == [COLORS["orange"]]
    assert colors(figures["epochs"].axes[0])[len(others)] == COLORS["orange"]


def test_dots_show_every_replicate(make_study):
    report = report_of(make_study(["l1"], ["finetune"], seeds=4), ["l1"], ["finetune"])
    drawn = [line.get_xdata() for line in draw(report)["arms"].axes[1].get_lines()]
    runs = report.results.arms["l1", "finetune"].replicates
    accuracies = [100 * run.last.test["accuracy"] for run in runs]
    assert any(len(xs) == 4 and np.allclose(xs, accuracies) for xs in drawn)


NEAR = [93.0, 95.0, 96.0, 96.2, 96.4, 96.6, 96.8]


@pytest.mark.parametrize(
    ("values", "lowest"),
    [
        ([*NEAR, 41.0], 93.0),  # 3.8 points of 55.8 are left
        ([*NEAR, 81.5], 93.0),  # 3.8 of 15.3, just below a quarter
        ([*NEAR, 81.7], None),  # 3.8 of 15.1
        ([*NEAR, 41.0, 34.0], None),  # two of nine are too many
        ([*NEAR, *NEAR, 41.0, 34.0], 93.0),
        (NEAR, None),  # one of seven is too many
        ([*NEAR, 41.0, np.nan], 93.0),
        ([], None),
    ],
)
def test_an_axis_begins_above_what_fails(values, lowest):
    assert floor(values) == lowest


def test_an_arm_far_below_is_a_number_at_the_edge(make_study, monkeypatch):
    schedules = [*list(SCHEDULES)[:8], "cosine"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "cosine", test=[0.3, 0.31, 0.32])
    figures = draw(report_of(folder, ["l1"], schedules))
    texts = [text.get_text() for text in figures["arms"].axes[1].texts]
    assert texts == ["31.0"]
    assert figures["arms"].axes[1].get_xlim()[0] > 80
    (difference,) = (t.get_text() for t in figures["arms"].axes[2].texts if "−" in t.get_text())
    assert float(difference.replace("−", "-")) == pytest.approx(31 - 92.7, abs=1)


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


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Every figure there is, laid out, of a study whose names are as long as they may well be."""
    methods = ["l1", "random", "taylor"]
    schedules = ["finetune", "scaled", "onecycle", "onecycle_low_peak", "onecycle_high_momentum"]
    schedules += ["adaptive_linear", "linear"]
    folder = write_study(tmp_path_factory.mktemp("study"), methods, schedules)
    count_images(folder)
    for method, macs in zip(methods, (9e7, 6e7, 3e7), strict=True):
        for name, epochs in zip(schedules, (72, 72, 72, 40, 72, 72, 72), strict=True):
            size = {"parameters": int(macs) // 120, "macs": macs}
            change(folder, method, name, epochs=epochs, training_macs=epochs * macs, **size)
        pruned = folder / "pruned" / f"{method}.json"
        pruned.write_text(pruned.read_text().replace("735712", str(int(macs) // 120)))
    entries = {name: {"curve": name} for name in schedules}
    entries["onecycle_low_peak"] = {**entries["onecycle"], "epochs": 40}
    for name, peak in (("linear", 0.2), ("adaptive_linear", 0.4)):
        entries[name] = {**entries["onecycle"], "max_lr": peak}
    cross = ["finetune", "onecycle", "scaled", "onecycle_high_momentum"]
    for low, high in zip(cross[:2], cross[2:], strict=True):
        entries[high] = {**entries[low], "label_smoothing": 0.1}
    settings = {"path": ["finetune", "scaled", "onecycle"], "factorial": cross}
    settings["pruning"] = {method: {"criterion": "l1", "allocation": {}} for method in methods}
    found = draw(report_of(folder, methods, schedules, entries, dense_peak=0.1, **settings))
    for figure in found.values():
        settle(figure)
    return found


NARROW = 400
"""Pixels of a figure on a telephone."""


def test_all_figures_are_drawn(figures):
    assert figures.keys() == {section.name for section in SECTIONS if section.figure}


def test_text_is_readable_where_a_figure_is_narrow(figures):
    for name, figure in figures.items():
        assert figure.get_figwidth() == WIDTH
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        assert texts
        for text in texts:
            assert text.get_fontsize() * NARROW / (72 * WIDTH) >= 9, (name, text.get_text())
            assert "mathdefault" not in text.get_text(), (name, text.get_text())  # small exponents


def test_no_text_leaves_its_figure(figures):
    for name, figure in figures.items():
        shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        for text in shown:
            box = text.get_window_extent()
            inside = min(box.x0, box.y0) >= -1 and box.x1 <= figure.bbox.x1 + 1
            assert inside or text.axes is None or not on_axis(text), (name, text.get_text())


def on_axis(text):
    """Whether a tick's label is in the range that its axes show."""
    ticks = [*text.axes.get_xticklabels(), *text.axes.get_yticklabels()]
    return text not in ticks or text.axes.bbox.padded(2).contains(*text.get_window_extent().p0)


def test_every_colour_is_one_whose_contrast_is_tested(figures):
    """But for the cells of the map, whose letters go by the cell that is behind them."""
    known = {color.lower() for color in (*COLORS.values(), *DARK)}
    for name, figure in figures.items():
        text = re.sub("<style.*?</style>", "", svg(figure), flags=re.DOTALL)
        found = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", text))
        assert found
        assert name == "heat" or found <= known, name


def test_paper_and_ink_turn_around_on_a_dark_screen(figures):
    text = svg(figures["arms"])
    (rules,) = re.findall(r"@media\(prefers-color-scheme:dark\)\{(.*?)\}</style>", text)
    turned = set(re.findall(r"\[style\*='(fill|stroke): (#\w+)'\]\{\1:(#\w+)!important\}", rules))
    assert turned == {(kind, *pair) for pair in DARK.items() for kind in ("fill", "stroke")}


def test_a_schedule_has_its_colour_in_the_figures_of_all_arms(figures):
    color = looks(["onecycle"])["onecycle"].color
    for name in ("arms", "epochs", "budgets", "tradeoffs", "calibration"):
        assert color in {line.get_color() for panel in figures[name].axes for line in panel.lines}


def test_letters_of_the_map_stand_out_from_their_cells(figures):
    figure = figures["heat"]
    (panel,) = figure.axes
    cells = [to_hex(color) for color in panel.collections[0].get_facecolors()]
    assert len(cells) == len(panel.texts) == 3 * 7
    for text, cell in zip(panel.texts, cells, strict=True):
        assert contrast(to_hex(text.get_color()), cell) >= 4.5
