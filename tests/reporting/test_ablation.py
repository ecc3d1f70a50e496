import pandas as pd
import pytest

from stages.reporting.sections.ablation import Ablation, Change, figure, find, sentence, table, text
from stages.reporting.style import COLORS
from stages.statistics.estimates import estimate
from stages.statistics.verdicts import Levels, verdict
from tests.reporting.helpers import change, report_of


def one(first, second, setting, values, confidence=0.99, margin=0.2):
    by_seed, error = pd.Series(values, dtype=float), 1 - confidence
    found = estimate(by_seed, confidence)
    judged = verdict(found, margin, Levels(error, error))
    return Change(first, second, [setting], by_seed, found, confidence, judged)


def ablation(first, second, whole=None, margin=0.2):
    """Return a path of two changes from their differences by seed."""
    total = whole or [a + b for a, b in zip(first, second, strict=True)]
    changes = [
        one("a", "b", "decay: x → y", first, margin=margin),
        one("b", "c", "final_lr: 1 → 2", second, margin=margin),
    ]
    return Ablation("l1", changes, one("a", "c", "both", total, 0.95, margin), margin)


GAIN, NONE = [1.0, 1.1, 0.9, 1.0], [0.1, -0.1, 0.1, -0.1]


def test_a_change_carries_the_difference_where_its_interval_lies_off_0():
    words = sentence(ablation(GAIN, NONE))
    assert words.startswith("**From `a` to `c`** on `l1`: +1.00 [")
    # sd 0.0816 and 0.1155, n = 4: t(3, 0.995) = 5.841 times sd / 2 is 0.24 and 0.34
    assert "`decay: x → y` +1.00 [+0.76, +1.24] carries it" in words
    assert "; `final_lr: 1 → 2` is undecided (within ±0.34)." in words


def test_two_changes_carry_it_together():
    words = sentence(ablation(GAIN, [0.5, 0.6, 0.4, 0.5]))
    assert "`decay: x → y` +1.00 [+0.76, +1.24] and `final_lr: 1 → 2` +0.50 [" in words
    assert words.endswith("carry it.")


def test_a_difference_that_no_change_carries_alone_is_not_explained():
    words = sentence(ablation([1.0, -0.5, 1.5, 0.0], [-0.4, 1.1, -0.9, 0.6]))
    assert "so this study cannot say which one carries the difference" in words


def test_no_difference_and_no_change_is_said():
    assert sentence(ablation(NONE, NONE)).endswith(", and the whole is undecided.")
    assert sentence(ablation(NONE, NONE, margin=0.5)).endswith(
        "`decay: x → y` and `final_lr: 1 → 2` change less than 0.5 points, and all of these "
        "together change less than 0.5 points."
    )


def test_a_change_that_is_shown_to_be_small_carries_nothing():
    """0.22 [0.20, 0.25] excludes 0, but by the rule it is the same within 0.5 points."""
    words = sentence(ablation([0.22, 0.225, 0.22, 0.215], GAIN, margin=0.5))
    assert "`final_lr: 1 → 2` +1.00 [+0.76, +1.24] carries it; " in words
    assert words.endswith("; `decay: x → y` changes less than 0.5 points.")


def test_a_change_that_is_none_on_a_method_has_no_effect_there(make_study):
    names = ["finetune", "tuned", "onecycle"]
    entries = {"finetune": {"curve": "constant", "lr": 0.1, "epochs": 2}}
    entries["tuned"] = entries["finetune"] | {"epochs": {"total": 4}}
    entries["onecycle"] = {"curve": "onecycle", "epochs": {"total": 4}}
    folder = make_study(["l1"], names, 4)
    for name, mean in zip(names, (0.90, 0.90, 0.94), strict=True):
        scores = [mean, mean + 0.01, mean - 0.02, mean + 0.001 * len(name)]
        change(folder, "l1", name, test=scores, epochs=2)
    found = find(report_of(folder, ["l1"], names, entries, path=names))
    page = text(found)
    assert "| nothing, on this method | `finetune` → `tuned` | " in page
    assert "carries it; `finetune` and `tuned` do the same on this method." in page
    assert table(found).changes[0] == "nothing, on this method"
    assert "nothing" in "".join(t.get_text() for t in figure(found).axes[0].get_yticklabels())


def test_two_differences_that_coincide_carry_nothing():
    words = sentence(ablation([4.0, 4.0], [0.5, 0.5]))
    assert "carr" not in words.replace("which one carries", "")
    assert "are undecided (two differences that agree to the digit show no spread)" in words


def test_the_changes_of_a_path_are_judged_together(make_study):
    """T = 3.74 is beyond t(3, .975) = 3.18 of one change, not beyond t(3, .9875) = 4.18 of two."""
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(["l1"], schedules, 4)
    low = [0.90, 0.91, 0.92, 0.93]
    change(folder, "l1", "finetune", test=low)
    for name in ("scaled", "onecycle"):
        change(folder, "l1", name, test=[0.904, 0.920, 0.929, 0.947])
    (path,) = find(report_of(folder, ["l1"], schedules, path=schedules))
    assert [step.verdict for step in path.changes] == ["undecided", "same"]
    assert path.whole.verdict == "better"
    assert table([path])["verdict"].tolist() == ["undecided", "same", "better"]


def test_changes_that_cancel_are_named_without_a_difference_to_carry():
    words = sentence(ablation(GAIN, [-1.0, -0.9, -1.2, -1.0]))
    assert "Distinguishable from 0: `decay: x → y` +1.00" in words
    assert "carr" not in words


def test_one_replicate_says_nothing():
    assert sentence(ablation([1.0], [0.0])).endswith("says nothing about the changes in between.")


def test_the_table_of_the_page_has_every_change_and_the_whole():
    page = text([ablation(GAIN, NONE)])
    assert "| `decay: x → y` | `a` → `b` | +1.00 [+0.76, +1.24] | 0.08 | 4 |" in page
    assert "| **all of these** | `a` → `c` | +1.00 [" in page
    assert "99 % confidence, so that they hold 95 % together" in page


def test_the_table_of_numbers_has_the_whole_last():
    rows = table([ablation(GAIN, NONE)])
    assert rows["changes"].tolist() == ["decay: x → y", "final_lr: 1 → 2", "both"]
    assert rows["difference_points_mean"].tolist() == pytest.approx([1, 0, 1])
    assert rows["confidence_percent"].tolist() == [99, 99, 95]


def test_the_figure_has_a_row_per_change_and_a_dot_per_replicate():
    (cell,) = figure([ablation(GAIN, NONE)]).axes
    labels = [label.get_text() for label in cell.get_yticklabels()]
    assert labels == ["decay: x → y", "final_lr: 1 → 2", "all of these"]
    assert any(list(line.get_xdata()) == GAIN for line in cell.get_lines())


def test_a_path_is_walked_in_consecutive_differences(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    change(folder, "l1", "scaled", test=[0.91, 0.92, 0.93])
    change(folder, "l1", "onecycle", test=[0.93, 0.94, 0.95])
    entries = {
        "finetune": {"curve": "warmup_decay", "decay": "constant"},
        "scaled": {"curve": "warmup_decay", "decay": "step"},
        "onecycle": {"curve": "warmup_decay", "decay": "step", "final_lr": 1e-5},
    }
    (path,) = find(report_of(folder, ["l1"], schedules, entries, path=schedules))
    assert [step.difference.mean for step in path.changes] == pytest.approx([1, 2])
    assert path.whole.difference.mean == pytest.approx(3)
    assert [step.settings for step in path.changes] == [
        ["decay: constant → step"],
        ["final_lr: default → 1e-05"],
    ]
    # two changes hold together at 95 % when each holds at 97.5 %
    assert [step.confidence for step in path.changes] == pytest.approx([0.975, 0.975])


def test_changes_have_no_colour_of_an_arm(make_study):
    schedules = ["finetune", "onecycle"]
    report = report_of(make_study(["l1"], schedules), ["l1"], schedules, path=schedules)
    drawn = {line.get_color() for panel in figure(find(report)).axes for line in panel.lines}
    assert drawn
    assert drawn.isdisjoint(COLORS.values())
