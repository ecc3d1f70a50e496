import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv

from stages.images.augmentations.crop import Crop
from stages.images.augmentations.flip import Flip

SHAPE, SIZE = (125, 32), (6, 9)


def augment(images, pad, top, left, flip):
    """Crop, then flip; pad 0 is no crop, and None no flip."""
    cropped = Crop(pad=pad).apply(images, torch.stack([top, left])) if pad else images
    return cropped if flip is None else Flip().apply(cropped, flip)


def test_crops_reach_every_offset_evenly():
    offsets = Crop(pad=2).draw(np.random.default_rng(0), SHAPE, SIZE)
    assert offsets.shape == (125, 2, 32)
    for part in (offsets[:, 0], offsets[:, 1]):
        counts = np.bincount(part.ravel(), minlength=5)
        assert counts.shape == (5,)
        assert counts.min() > 4000 / 5 * 0.85
    assert not np.array_equal(offsets[:, 0], offsets[:, 1])


def test_half_of_the_images_are_flipped():
    flip = Flip().draw(np.random.default_rng(0), SHAPE, SIZE)
    assert (flip.shape, flip.dtype) == (SHAPE, bool)
    assert flip.mean() == pytest.approx(0.5, abs=0.03)


def reference(image, pad, top, left, flip):
    crop = tv.crop(tv.pad(image, [pad]), int(top), int(left), 6, 9)
    return tv.hflip(crop) if flip else crop


@pytest.mark.parametrize("flips", [True, False])
@pytest.mark.parametrize("pad", [0, 1, 4])
def test_a_batch_is_what_torchvision_makes_image_by_image(pad, flips, draw_images):
    """Every crop there is, each with and without a flip."""
    offsets = torch.arange(2 * pad + 1)
    top, left, flip = torch.cartesian_prod(offsets, offsets, torch.arange(2)).T
    images = draw_images(len(top))
    batch = augment(images, pad, top, left, flip.bool() if flips else None)
    for got, *drawn in zip(batch, images, top, left, flip, strict=True):
        image, *place, mirrored = drawn
        assert torch.equal(got, reference(image, pad, *place, mirrored and flips))
    assert batch.dtype == torch.uint8


def test_two_images_by_hand():
    images = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]], dtype=torch.uint8).expand(2, 1, 3, 3)
    top, left, flip = torch.tensor([0, 2]), torch.tensor([2, 1]), torch.tensor([False, True])
    first, second = augment(images, 1, top, left, flip)
    assert first[0].tolist() == [[0, 0, 0], [2, 3, 0], [5, 6, 0]]
    assert second[0].tolist() == [[6, 5, 4], [9, 8, 7], [0, 0, 0]]


def test_the_middle_crop_without_flips_is_the_image(images):
    middle = torch.full((20,), 4)
    assert torch.equal(augment(images, 4, middle, middle, None), images)


def test_the_layout_in_memory_changes_nothing(images):
    top, left = torch.arange(20) % 5, torch.arange(20) % 3
    other = images.contiguous(memory_format=torch.channels_last)
    flip = torch.arange(20) % 2 == 0
    assert torch.equal(augment(other, 2, top, left, flip), augment(images, 2, top, left, flip))


@pytest.mark.parametrize("pad", [0, 2])
def test_augmentation_leaves_the_images_as_they_were(pad, images):
    before = images.clone()
    zero = torch.zeros(20, dtype=torch.int64)
    augment(images, pad, zero, zero, zero.bool()).zero_()
    assert torch.equal(images, before)


def test_no_value_is_needed_to_know_what_to_compute(images):
    """Tensors without values stand for those of a captured graph: reading one is an error."""
    meta = images.to("meta")
    offset, flip = torch.empty(20, dtype=torch.int64, device="meta"), meta[:, 0, 0, 0] > 0
    assert augment(meta, 2, offset, offset, flip).shape == images.shape
