from math import sqrt

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from stages.evaluation.moved import moved
from stages.networks.building import Spec, build


def test_distance_and_sign_flips_by_hand():
    """Changes of 1, -5 and 0 from (3, 4, 0): sqrt(26) / 5; of the signs of 3 and 4 one turns."""
    left = {"a": np.array([3.0, 4.0]), "b": np.array([[0.0]])}
    found = moved(left, {"a": np.array([4.0, -1.0]), "b": np.array([[0.0]])})
    assert found.distance == pytest.approx(sqrt(26) / 5, rel=1e-12)
    assert found.sign_flips == 0.5


def test_weights_that_a_mask_holds_at_zero_change_nothing():
    left, trained = np.array([1.0, 0.0, -2.0]), np.array([-1.0, 0.0, -2.0])
    found = moved({"w": left}, {"w": trained})
    assert (found.distance, found.sign_flips) == (pytest.approx(2 / sqrt(5)), 0.5)


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_a_network_is_at_no_distance_from_itself_and_at_1_from_its_double(factor):
    left = {"w": np.array([[0.5, -0.25]], np.float32)}
    found = moved(left, {"w": factor * left["w"]})
    assert (found.distance, found.sign_flips) == (factor - 1, 0.0)


def test_nothing_to_compare_is_no_distance():
    zero = {"w": np.zeros(3)}
    assert (moved(zero, zero).distance, moved(zero, zero).sign_flips) == (0.0, 0.0)


def test_it_is_the_distance_of_the_vectors_of_all_parameters():
    spec = Spec("stages/models/resnet.py", "resnet8", {"width": 2}, 3, 1)
    one, other = (build(spec, seed) for seed in (0, 1))
    arrays = [{k: p.detach().numpy() for k, p in net.named_parameters()} for net in (one, other)]
    first, second = (
        parameters_to_vector(net.parameters()).detach().double() for net in (one, other)
    )
    found = moved(*arrays)
    assert found.distance == pytest.approx(float((second - first).norm() / first.norm()), rel=1e-9)
    both = (first != 0) & (second != 0)
    flips = torch.sign(first) != torch.sign(second)
    assert found.sign_flips == pytest.approx(float(flips[both].double().mean()), rel=1e-12)
