import pytest
import torch

from stages.pipeline.fault import Fault
from stages.pruning.distance import distance, fraction_pruned
from stages.training.masks import check_masks


def test_masked_weights_at_zero_pass():
    weights = {"a": torch.tensor([0.0, 2.0]), "b": torch.tensor([0.0])}
    check_masks(weights, {"a": torch.tensor([False, True]), "b": torch.tensor([True])})


def test_the_first_layer_with_a_revived_weight_is_named():
    mask = torch.tensor([True, False, False])
    weights = {"a": torch.tensor([1.0, 0.0, 0.0]), "b": torch.tensor([1.0, 1e-30, -2.0])}
    with pytest.raises(Fault, match="b: 2 of 2 pruned weights are not zero"):
        check_masks(weights, {"a": mask, "b": mask})


def test_a_weight_that_became_nan_is_revived():
    with pytest.raises(Fault, match="1 of 1"):
        check_masks({"a": torch.tensor([float("nan")])}, {"a": torch.tensor([False])})


@pytest.mark.parametrize("weights", [{}, {"a": torch.zeros(3)}])
def test_a_mask_without_its_weight_is_a_fault(weights):
    with pytest.raises(Fault, match="a: the mask"):
        check_masks(weights, {"a": torch.tensor([False])})


def test_the_distance_is_relative_to_the_dense_norm():
    dense = {"w": torch.tensor([3.0, 4.0]), "b": torch.tensor([12.0])}
    pruned = {"w": torch.tensor([0.0, 4.0]), "b": torch.tensor([12.0])}
    assert distance(dense, pruned) == pytest.approx(3 / 13)


def test_the_distance_sees_entries_that_moved():
    assert distance({"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([3.0, -4.0])}) == 8 / 5


def test_removed_entries_count_as_zeros():
    dense = {"w": torch.tensor([[3.0, 4.0], [12.0, 84.0]])}
    assert distance(dense, {"w": torch.tensor([[12.0, 84.0]])}) == pytest.approx(5 / 85)
    assert distance(dense, dense) == 0


def test_the_fraction_is_of_what_remained_before_the_step():
    assert fraction_pruned(1000, 700) == pytest.approx(0.3)
    assert fraction_pruned(700, 490) == pytest.approx(0.3)
