import numpy as np
import pytest
import torch

from stages.params.recipe import Augment, Recipe
from stages.training.order import DENSE, RETRAIN, epoch_tables, layer_seed

RECIPE = Recipe(batch_size=32, augment=Augment(pad=2, flip=True))
HERE = (1000, RECIPE, 7, RETRAIN, 2)
ELSEWHERE = [(1000, RECIPE, 8, RETRAIN, 2), (1000, RECIPE, 7, DENSE, 2), (1000, RECIPE, 7, 1, 3)]


def tensors(tables):
    return tables.index, tables.top, tables.left, tables.flip


def test_tables_follow_from_seed_stream_and_epoch_alone():
    first = tensors(epoch_tables(*HERE))
    np.random.seed(1)
    torch.manual_seed(1)
    epoch_tables(1000, RECIPE, 1, DENSE, 0)
    assert all(map(torch.equal, first, tensors(epoch_tables(*HERE))))


@pytest.mark.parametrize("other", ELSEWHERE)
def test_another_seed_stream_or_epoch_draws_all_tables_anew(other):
    pairs = zip(tensors(epoch_tables(*HERE)), tensors(epoch_tables(*other)), strict=True)
    assert not any(torch.equal(one, two) for one, two in pairs)


@pytest.mark.parametrize("other", [place[2:] for place in ELSEWHERE])
def test_another_seed_stream_or_epoch_seeds_the_layers_anew(other):
    assert layer_seed(7, RETRAIN, 2) == layer_seed(7, RETRAIN, 2)
    assert layer_seed(7, RETRAIN, 2) != layer_seed(*other)
    assert 0 <= layer_seed(*other) < 2**63


def test_no_image_comes_twice_and_the_short_last_batch_is_dropped():
    tables = epoch_tables(*HERE)
    seen = tables.index.flatten()
    assert tables.index.shape == (31, 32)
    assert len(seen.unique()) == len(seen)
    assert (seen.min() >= 0, seen.max() < 1000) == (True, True)


def test_other_images_are_dropped_in_other_epochs():
    def used(epoch):
        return set(epoch_tables(1000, RECIPE, 0, DENSE, epoch).index.flatten().tolist())

    assert len(used(0)) == 992
    assert set.union(*map(used, range(4))) == set(range(1000))


def test_whole_batches_drop_nothing():
    index = epoch_tables(96, RECIPE, 0, DENSE, 0).index
    assert sorted(index.flatten().tolist()) == list(range(96))


def test_crops_reach_every_offset_evenly():
    tables = epoch_tables(4000, RECIPE, 0, DENSE, 0)
    for offsets in (tables.top, tables.left):
        counts = torch.bincount(offsets.flatten(), minlength=5)
        assert counts.shape == (5,)
        assert counts.min() > 4000 / 5 * 0.85
    assert not torch.equal(tables.top, tables.left)


def test_half_of_the_images_are_flipped():
    flip = epoch_tables(4000, RECIPE, 0, DENSE, 0).flip
    assert flip.dtype == torch.bool
    assert flip.double().mean().item() == pytest.approx(0.5, abs=0.03)


def test_without_augmentation_nothing_moves():
    tables = epoch_tables(64, Recipe(batch_size=32), 0, DENSE, 0)
    assert not tables.top.any()
    assert not tables.left.any()
    assert tables.flip is None
