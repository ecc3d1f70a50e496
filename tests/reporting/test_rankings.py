import numpy as np
import pandas as pd
import pytest

from stages.reporting.sections.rankings import Ranking, Rankings, find, ranking, table, text
from stages.statistics.interactions import FTest, interaction
from tests.reporting.helpers import change, report_of


@pytest.fixture
def scored(monkeypatch):
    """Return a function that ranks invented scores, percent by method over the seeds."""

    def rank(schedule, **scores):
        arms = {(method, schedule): values for method, values in scores.items()}
        results = type("Results", (), {"methods": list(scores), "arms": arms})()
        monkeypatch.setattr("stages.reporting.sections.rankings.last_test", pd.Series)
        return ranking(results, schedule)

    return rank


def test_methods_are_ranked_by_their_means(scored):
    found = scored("finetune", a=[90, 91], b=[95, 93], c=[92, 92])
    assert found.methods == ["b", "c", "a"]
    assert found.spread == 94 - 90.5


def test_equal_means_stand_in_the_order_of_the_params(scored):
    assert scored("finetune", z=[90, 92], a=[91, 91], m=[92, 90]).methods == ["z", "a", "m"]


def test_friedmans_test_is_on_ranks_within_each_seed(scored):
    """Four seeds that agree on three methods: chi2 = 8 with 2 degrees, p = exp(-4)."""
    found = scored("f", a=[90, 80, 70, 60], b=[91, 81, 71, 61], c=[92, 82, 72, 62])
    assert found.p_value == pytest.approx(0.0183156, rel=1e-5)


@pytest.mark.parametrize(
    "scores", [{"a": [1], "b": [2], "c": [3]}, {"a": [5, 5], "b": [5, 5], "c": [5, 5]}]
)
def test_one_seed_or_no_difference_tests_nothing(scored, scores):
    assert scored("f", **scores).p_value is None


def found(p_value, both=None):
    scores = {"l1": [97.0, 97.2], "random": [96.0, 96.2], "hrank": [95.0, 95.2]}
    good = Ranking("onecycle", pd.DataFrame(scores), p_value)
    plain = Ranking("finetune", pd.DataFrame(scores)[["l1", "random", "hrank"]] - 5, 0.001)
    return Rankings(plain, good, 1.0, confidence=0.95, interaction=both)


@pytest.mark.parametrize(
    ("p_value", "words"),
    [(0.2, "they cannot be told apart"), (0.01, "they differ"), (None, "one replicate cannot")],
)
def test_the_words_follow_the_test(p_value, words):
    page = text(found(p_value))
    assert words in page.split("Under `onecycle`")[1]
    assert "| 1 | `l1` | 92.10 ± 0.14 | `l1` | 97.10 ± 0.14 |" in page


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (0.12, "Whether the schedule changes how much the method matters is undecided"),
        (0.01, "The schedule changes how much the method matters"),
    ],
)
def test_what_the_schedule_changes_is_one_test(p_value, words):
    page = text(found(0.2, FTest(2.5, 1.9, 13.2, p_value)))
    assert f"{words} (interaction, F(1.9, 13.2) = 2.50, p = {p_value})." in page
    assert "interaction" not in text(found(0.2))


def test_the_table_has_a_row_per_schedule_and_rank():
    rows = table(found(0.2))
    assert rows[["schedule", "rank", "method"]].to_numpy().tolist()[:3] == [
        ["finetune", 1, "l1"],
        ["finetune", 2, "random"],
        ["finetune", 3, "hrank"],
    ]
    assert len(rows) == 6


def test_three_methods_are_ranked_under_the_baseline_and_the_best_schedule(make_study):
    methods, schedules = ["l1", "random", "hrank"], ["finetune", "onecycle"]
    folder = make_study(methods, schedules)
    change(folder, "l1", "onecycle", validation=[0.99] * 3)
    both = find(report_of(folder, methods, schedules))
    assert (both.baseline.schedule, both.best.schedule) == ("finetune", "onecycle")
    scores = [item.scores[methods].to_numpy() for item in (both.baseline, both.best)]
    expected = interaction(np.stack(scores, axis=1)).p_value
    assert both.interaction.p_value == pytest.approx(expected)
    assert find(report_of(folder, methods[:2], schedules)) is None
    change(folder, "l1", "finetune", validation=[1.0] * 3)
    assert find(report_of(folder, methods, schedules)) is None
