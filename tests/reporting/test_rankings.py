import pandas as pd
import pytest

from stages.reporting.rankings import Ranking, Rankings, ranking, ranking_table, section


@pytest.fixture
def scored(monkeypatch):
    """Return a function that ranks invented scores, percent by method over the seeds."""

    def rank(schedule, **scores):
        arms = {(method, schedule): values for method, values in scores.items()}
        study = type("Study", (), {"methods": list(scores), "arms": arms})()
        monkeypatch.setattr("stages.reporting.rankings.last_test", pd.Series)
        return ranking(study, schedule)

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


def found(p_value):
    scores = {"l1": [97.0, 97.2], "random": [96.0, 96.2], "hrank": [95.0, 95.2]}
    good = Ranking("onecycle", pd.DataFrame(scores), p_value)
    plain = Ranking("finetune", pd.DataFrame(scores)[["l1", "random", "hrank"]] - 5, 0.001)
    return Rankings(plain, good, 1.0)


@pytest.mark.parametrize(
    ("p_value", "words"),
    [(0.2, "they cannot be told apart"), (0.01, "they differ"), (None, "one replicate cannot")],
)
def test_the_words_follow_the_test(p_value, words):
    text = section(found(p_value), 0.95)
    assert words in text.split("Under `onecycle`")[1]
    assert "| 1 | `l1` | 92.10 ± 0.14 | `l1` | 97.10 ± 0.14 |" in text


def test_the_table_has_a_row_per_schedule_and_rank():
    table = ranking_table(found(0.2))
    assert table[["schedule", "rank", "method"]].to_numpy().tolist()[:3] == [
        ["finetune", 1, "l1"],
        ["finetune", 2, "random"],
        ["finetune", 3, "hrank"],
    ]
    assert len(table) == 6
