import pandas as pd
import pytest

from stages.reporting.ablation import Ablation, Step, ablation_table
from stages.reporting.ablation_figure import ablation_figure
from stages.reporting.ablation_page import section, sentence
from stages.reporting.statistics import estimate


def step(first, second, change, values, confidence=0.99):
    by_seed = pd.Series(values, dtype=float)
    return Step(first, second, [change], by_seed, estimate(by_seed, confidence), confidence)


def ablation(first, second, whole=None):
    """Return a way of two changes from their differences by seed."""
    total = whole or [a + b for a, b in zip(first, second, strict=True)]
    steps = [step("a", "b", "decay: x → y", first), step("b", "c", "final_lr: 1 → 2", second)]
    return Ablation("l1", steps, step("a", "c", "both", total, 0.95))


GAIN, NONE = [1.0, 1.1, 0.9, 1.0], [0.1, -0.1, 0.1, -0.1]


def test_a_change_carries_the_difference_where_its_interval_lies_off_0():
    text = sentence(ablation(GAIN, NONE))
    assert text.startswith("**From `a` to `c`** on `l1`: +1.00 [")
    # sd 0.0816 and 0.1155, n = 4: t(3, 0.995) = 5.841 times sd / 2 is 0.24 and 0.34
    assert "`decay: x → y` +1.00 [+0.76, +1.24] carries it" in text
    assert "`final_lr: 1 → 2` cannot be told from 0 (within ±0.34)." in text


def test_two_changes_carry_it_together():
    text = sentence(ablation(GAIN, [0.5, 0.6, 0.4, 0.5]))
    assert "`decay: x → y` +1.00 [+0.76, +1.24] and `final_lr: 1 → 2` +0.50 [" in text
    assert text.endswith("carry it.")


def test_a_difference_that_no_change_carries_alone_is_not_explained():
    text = sentence(ablation([1.0, -0.5, 1.5, 0.0], [-0.4, 1.1, -0.9, 0.6]))
    assert "so this run cannot tell which one carries the difference" in text


def test_no_difference_and_no_change_is_said():
    assert "and neither can the whole" in sentence(ablation(NONE, NONE))


def test_changes_that_cancel_are_told_without_a_difference_to_carry():
    text = sentence(ablation(GAIN, [-1.0, -0.9, -1.2, -1.0]))
    assert "Told from 0: `decay: x → y` +1.00" in text
    assert "carr" not in text


def test_one_replicate_says_nothing():
    assert sentence(ablation([1.0], [0.0])).endswith("says nothing about the changes in between.")


def test_the_table_of_the_page_has_every_change_and_the_whole():
    page = section([ablation(GAIN, NONE)])
    assert "| `decay: x → y` | `a` → `b` | +1.00 [+0.76, +1.24] | 0.08 | 4 |" in page
    assert "| **all of these** | `a` → `c` | +1.00 [" in page
    assert "99 % confidence, so that they hold 95 % together" in page


def test_the_table_of_numbers_has_the_whole_last():
    table = ablation_table([ablation(GAIN, NONE)])
    assert table["changes"].tolist() == ["decay: x → y", "final_lr: 1 → 2", "both"]
    assert table["difference_points_mean"].tolist() == pytest.approx([1, 0, 1])
    assert table["confidence_percent"].tolist() == [99, 99, 95]


def test_the_figure_has_a_row_per_change_and_a_dot_per_replicate():
    (cell,) = ablation_figure([ablation(GAIN, NONE)]).axes
    labels = [label.get_text() for label in cell.get_yticklabels()]
    assert labels == ["decay: x → y", "final_lr: 1 → 2", "all of these"]
    assert any(list(line.get_xdata()) == GAIN for line in cell.get_lines())
