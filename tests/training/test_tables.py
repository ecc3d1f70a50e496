import numpy as np
import pytest
import torch

from stages.replicates.seeds import DENSE, RETRAIN, stream_seed
from stages.training.settings import Recipe
from stages.training.tables import epoch_tables

SHAPE = (1000, 1, 8, 8)
RECIPE = Recipe(batch_size=32, augment={"crop": {"pad": 2}, "flip": {}})
HERE = (SHAPE, RECIPE, 7, RETRAIN, 2)
ELSEWHERE = [(SHAPE, RECIPE, *place) for place in ((8, RETRAIN, 2), (7, DENSE, 2), (7, 1, 3))]


def every(tables):
    return [tables.images, *tables.augmentations]


def test_tables_follow_from_seed_stream_and_epoch_alone():
    first = every(epoch_tables(*HERE))
    np.random.seed(1)
    torch.manual_seed(1)
    epoch_tables(SHAPE, RECIPE, 1, DENSE, 0)
    assert all(map(torch.equal, first, every(epoch_tables(*HERE))))


@pytest.mark.parametrize("other", ELSEWHERE)
def test_another_seed_stream_or_epoch_draws_all_tables_anew(other):
    pairs = zip(every(epoch_tables(*HERE)), every(epoch_tables(*other)), strict=True)
    assert not any(torch.equal(one, two) for one, two in pairs)


@pytest.mark.parametrize("other", [place[2:] for place in ELSEWHERE])
def test_another_seed_stream_or_epoch_seeds_the_layers_anew(other):
    assert stream_seed(7, RETRAIN, 2) == stream_seed(7, RETRAIN, 2)
    assert stream_seed(7, RETRAIN, 2) != stream_seed(*other)
    assert 0 <= stream_seed(*other) < 2**63


def test_no_image_comes_twice_and_the_short_last_batch_is_dropped():
    tables = epoch_tables(*HERE)
    seen = tables.images.flatten()
    assert tables.images.shape == (31, 32)
    assert len(seen.unique()) == len(seen)
    assert (seen.min() >= 0, seen.max() < 1000) == (True, True)


def test_other_images_are_dropped_in_other_epochs():
    def used(epoch):
        return set(epoch_tables(SHAPE, RECIPE, 0, DENSE, epoch).images.flatten().tolist())

    assert len(used(0)) == 992
    assert set.union(*map(used, range(4))) == set(range(1000))


def test_whole_batches_drop_nothing():
    images = epoch_tables((96, 1, 8, 8), RECIPE, 0, DENSE, 0).images
    assert sorted(images.flatten().tolist()) == list(range(96))


def test_without_augmentation_no_table_is_drawn():
    assert epoch_tables((64, 1, 8, 8), Recipe(batch_size=32), 0, DENSE, 0).augmentations == []


def test_draws_come_in_a_fixed_order():
    """A golden fact: the results of every study depend on it."""
    order, crops, flips = every(epoch_tables(*HERE))
    chance = np.random.default_rng([7, RETRAIN, 2])
    assert np.array_equal(order, chance.permutation(1000)[:992].reshape(31, 32))
    offsets = chance.integers(0, 5, (2, 31, 32))
    assert np.array_equal(crops[:, 0], offsets[0])
    assert np.array_equal(crops[:, 1], offsets[1])
    assert np.array_equal(flips, chance.random((31, 32)) < 0.5)


def test_order_and_crops_do_not_depend_on_later_augmentations():
    cropped = Recipe(batch_size=32, augment={"crop": {"pad": 2}})
    one, other = epoch_tables(*HERE), epoch_tables(SHAPE, cropped, *HERE[2:])
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.augmentations[0], other.augmentations[0])
