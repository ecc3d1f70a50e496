import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from stages.pipeline.fault import Fault
from stages.pruning.allocation.weights import WEIGHT_ALLOCATIONS as ALLOCATIONS

SHAPES = {"stem": (8, 3, 3, 3), "body": (16, 8, 3, 3), "fc": (10, 16)}


def scores(shapes=SHAPES, seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.random(shape, dtype=np.float32) for name, shape in shapes.items()}


def left(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 0.893, 1 - 0.7**9])
@pytest.mark.parametrize("kind", ["global", "erk"])
def test_the_sparsity_is_exact_to_one_weight(kind, sparsity):
    total = sum(layer.size for layer in scores().values())
    masks = ALLOCATIONS[kind](scores(), sparsity=sparsity)
    assert sum(left(masks).values()) == total - round(total * sparsity)


def test_global_masks_equal_those_of_torch():
    layers = [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3)]
    ours = ALLOCATIONS["global"](
        {str(i): layer.weight.detach().abs().numpy() for i, layer in enumerate(layers)},
        sparsity=0.83,
    )
    torch_prune.global_unstructured(
        [(layer, "weight") for layer in layers], torch_prune.L1Unstructured, amount=0.83
    )
    for i, layer in enumerate(layers):
        assert torch.equal(layer.weight_mask.bool(), torch.from_numpy(ours[str(i)]))


def test_global_can_empty_a_layer_and_a_minimum_prevents_it():
    found = {"strong": np.full((4, 5), 2.0), "weak": np.ones((2, 5))}
    assert left(ALLOCATIONS["global"](found, sparsity=0.5)) == {"strong": 15, "weak": 0}
    masks = ALLOCATIONS["global"](found, sparsity=0.5, minimum=3)
    assert left(masks) == {"strong": 12, "weak": 3}


def test_uniform_takes_the_same_share_of_every_layer():
    masks = ALLOCATIONS["uniform"](scores(), sparsity=0.9)
    assert left(masks) == {"stem": 216 - 194, "body": 1152 - 1037, "fc": 16}


def test_erk_densities_are_in_proportion_to_the_sum_over_the_product_of_the_shape():
    shapes = {"a": (32, 16, 3, 3), "b": (64, 32, 3, 3)}
    masks = ALLOCATIONS["erk"](scores(shapes), sparsity=0.8)
    counts = left(masks)
    # equal densities per sum(shape): 54 and 102 parts of 0.2 * 23040
    assert counts == {"a": round(4608 * 54 / 156), "b": round(4608 * 102 / 156)}


def test_erk_leaves_layers_dense_that_would_exceed_a_density_of_one():
    shapes = {"small": (4, 3, 3, 3), "large": (32, 32, 3, 3)}
    masks = ALLOCATIONS["erk"](scores(shapes), sparsity=0.5)
    # 13 and 70 parts of 4662 would give the small layer 730 of its 108 weights
    assert left(masks) == {"small": 108, "large": 4662 - 108}


def test_two_of_four_keeps_the_two_best_of_four_inputs_at_each_position():
    layer = np.zeros((1, 8, 1, 2))
    layer[0, :, 0, 0] = [1, 2, 3, 4, 8, 7, 6, 5]
    layer[0, :, 0, 1] = [4, 1, 3, 2, 5, 5, 5, 5]
    mask = ALLOCATIONS["n_m"]({"conv": layer})["conv"]
    assert mask[0, :, 0, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert mask[0, :, 0, 1].tolist() == [1, 0, 1, 0, 1, 1, 0, 0]


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (1, 2), (4, 8), (3, 8), (4, 4)])
def test_every_block_of_m_inputs_keeps_n(n, m):
    mask = ALLOCATIONS["n_m"](scores(), n=n, m=m)["body"]
    blocks = mask.transpose(0, 2, 3, 1).reshape(-1, m)
    assert (blocks.sum(1) == n).all()


def test_a_two_of_four_linear_layer_is_what_torch_calls_semi_structured():
    weight = torch.randn(16, 32)
    mask = ALLOCATIONS["n_m"]({"fc": weight.abs().numpy()})["fc"]
    pairs = (weight * torch.from_numpy(mask)).reshape(16, 8, 4)
    assert ((pairs != 0).sum(-1) == 2).all()


def test_a_layer_whose_inputs_m_does_not_divide_stays_dense():
    assert ALLOCATIONS["n_m"](scores(), n=2, m=4)["stem"].all()


def test_n_m_that_fits_no_layer_is_refused():
    with pytest.raises(Fault, match="16 divides the inputs of no layer"):
        ALLOCATIONS["n_m"]({"stem": np.ones((8, 3, 3, 3))}, n=2, m=16)
    with pytest.raises(Fault, match="5 of every 4"):
        ALLOCATIONS["n_m"](scores(), n=5, m=4)
