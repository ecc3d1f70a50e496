import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.data.split import holdout, shares, stratified
from stages.pipeline.fault import Fault

NAMES = ("cat", "dog", "owl")


def test_shares_follow_the_largest_remainder():
    # 7 of (5, 3, 2): exact shares 3.5, 2.1, 1.4, so the one left over goes to the first
    assert shares(np.array([5, 3, 2]), 7).tolist() == [4, 2, 1]


def test_tied_shares_go_to_the_first_class():
    assert shares(np.array([1, 1, 1, 1]), 2).tolist() == [1, 1, 0, 0]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any), st.data())
def test_shares_are_exact_proportional_and_available(counts, data):
    counts = np.array(counts)
    total = data.draw(st.integers(0, int(counts.sum())))
    parts = shares(counts, total)
    assert parts.sum() == total
    assert (parts <= counts).all()
    assert (abs(parts - counts * total / counts.sum()) < 1).all()


def test_holdout_is_a_stratified_partition():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    train, held = holdout(labels, 0.1, 0, NAMES)
    assert np.bincount(labels[held]).tolist() == [5, 3, 2]
    assert sorted([*train, *held]) == list(range(100))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held) > 0).all()
    assert train.dtype == held.dtype == np.int64


def test_holdout_is_drawn_by_its_seed():
    labels = np.repeat([0, 1, 2], 40)
    first, again, other = (holdout(labels, 0.2, seed, NAMES)[1] for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()
    assert (np.diff(first) > 1).any()


def test_fraction_zero_holds_out_nothing():
    train, held = holdout(np.array([2, 0, 1]), 0, 0, NAMES)
    assert train.tolist() == [0, 1, 2]
    assert held.shape == (0,)


def test_a_fraction_is_rounded_not_truncated():
    assert len(holdout(np.zeros(100, np.int64), 0.29, 0, ("cat",))[1]) == 29


def test_a_class_without_training_images_is_a_fault():
    with pytest.raises(Fault, match=r"data.validation is 0.8 .* class 'dog'"):
        holdout(np.array([0, 0, 0, 0, 1, 2, 2, 2, 2, 2]), 0.8, 0, NAMES)


def test_a_class_that_has_no_image_is_a_fault_without_validation():
    with pytest.raises(Fault, match="class 'owl'"):
        holdout(np.array([0, 1]), 0, 0, NAMES)


def test_a_fraction_that_holds_out_nothing_is_a_fault():
    with pytest.raises(Fault, match=r"data.validation is 0.01 of 10 .* holds out none"):
        holdout(np.zeros(10, np.int64), 0.01, 0, ("cat",))


def test_stratified_takes_all_when_asked_for_all():
    assert stratified(np.array([1, 0, 1]), 3, 5).tolist() == [0, 1, 2]
