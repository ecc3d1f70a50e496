import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.pipeline.fault import Fault
from stages.pruning.allocation.ranking import top, top_of_all


def test_the_highest_scores_survive():
    assert top(np.array([0.1, 0.9, 0.5, 0.7]), 2).tolist() == [False, True, False, True]


def test_among_equal_scores_the_first_survive():
    assert top(np.array([1.0, 2.0, 1.0, 1.0]), 3).tolist() == [True, True, True, False]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.data())
def test_the_count_is_exact_and_agrees_with_a_stable_sort(values, data):
    count = data.draw(st.integers(0, len(values)))
    scores = np.array(values, dtype=np.float32)
    expected = np.zeros(len(values), dtype=bool)
    expected[np.argsort(-scores, kind="stable")[:count]] = True
    assert (top(scores, count) == expected).all()


def test_one_threshold_ranks_all_layers_together_and_keeps_their_shapes():
    scores = {"a": np.array([[1.0, 6.0], [2.0, 5.0]]), "b": np.array([3.0, 4.0])}
    masks = top_of_all(scores, 3)
    assert masks["a"].tolist() == [[False, True], [False, True]]
    assert masks["b"].tolist() == [False, True]


def test_ties_across_layers_go_to_the_earlier_layer():
    masks = top_of_all({"a": np.ones(2), "b": np.ones(2)}, 3)
    assert [mask.tolist() for mask in masks.values()] == [[True, True], [True, False]]


def test_a_minimum_saves_the_best_of_a_layer_that_the_threshold_would_empty():
    masks = top_of_all({"a": np.array([9.0, 9.0, 9.0]), "b": np.array([1.0, 2.0])}, 3, minimum=1)
    assert [mask.tolist() for mask in masks.values()] == [[True, True, False], [False, True]]


def test_a_minimum_above_the_count_is_refused():
    with pytest.raises(Fault, match="2 in every layer keeps 4, the allocation 3"):
        top_of_all({"a": np.ones(3), "b": np.ones(3)}, 3, minimum=2)


def test_scores_are_left_as_they_were():
    scores = {"a": np.array([1.0, 2.0])}
    top_of_all(scores, 1, minimum=1)
    assert scores["a"].tolist() == [1.0, 2.0]
