import math

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from torchvision.transforms import RandomResizedCrop

from stages.images.augmentations.resized_crop import ResizedCrop
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse

SIZE = (6, 9)


class Listed:
    """Chance that gives the same listed numbers from 0 to 1, one row a call, to us and to torch."""

    def __init__(self, rows):
        self.rows = iter(rows)

    def uniform(self, low, high, shape):
        return low + (high - low) * next(self.rows).reshape(shape)

    def integers(self, low, high):
        return low + (next(self.rows) * (high - low)).astype(np.int64)


def test_boxes_are_those_that_torchvision_draws_from_the_same_numbers(monkeypatch):
    """Narrow images, so that many tries fail: some all ten, then the box is in the middle."""
    count, size = 400, (24, 9)
    rows = np.random.default_rng(1).random((22, 1, count))
    rows[:20, :, :40] = 0.999  # the largest area and ratio never fit
    crop = ResizedCrop(scale=(0.2, 1.0), ratio=(0.5, 2.0))
    boxes = crop.draw(Listed(rows), (1, count), size)
    assert boxes.shape == (1, 4, count)
    for i in range(count):
        tries, offsets = iter(rows[:20, 0, i]), iter(rows[20:, 0, i])
        monkeypatch.setattr(
            torch.Tensor,
            "uniform_",
            lambda self, a, b, tries=tries: self.fill_(a + (b - a) * next(tries)),
        )
        monkeypatch.setattr(
            torch,
            "randint",
            lambda a, b, size, offsets=offsets: torch.tensor(int(a + next(offsets) * (b - a))),
        )
        image = torch.empty((1, *size))
        expected = RandomResizedCrop.get_params(image, list(crop.scale), list(crop.ratio))
        assert boxes[0, :, i].tolist() == list(expected), i


@pytest.mark.parametrize(
    ("size", "ratio", "box"),
    [
        ((24, 9), (1.0, 2.0), [7, 0, 9, 9]),
        ((9, 24), (0.5, 1.0), [0, 7, 9, 9]),
        ((8, 8), (0.5, 2.0), [0, 0, 8, 8]),
    ],
)
def test_where_no_try_fits_the_box_is_the_largest_in_the_middle(size, ratio, box):
    """Ten tries of the largest area at the largest or smallest ratio, which no image holds."""
    number = 0.0 if ratio == (0.5, 1.0) else 1.0
    rows = np.stack([np.ones((1, 1)), np.full((1, 1), number)] * 10 + [np.zeros((1, 1))] * 2)
    crop = ResizedCrop(scale=(0.9, 1.0), ratio=ratio)
    assert crop.draw(Listed(rows), (1, 1), size)[0, :, 0].tolist() == box


def test_boxes_lie_in_the_image_and_have_the_area_and_ratio_asked_for():
    crop = ResizedCrop(scale=(0.25, 0.5), ratio=(0.8, 1.25))
    boxes = crop.draw(np.random.default_rng(0), (20, 50), (200, 200))
    top, left, height, width = np.moveaxis(boxes, 1, 0)
    assert (boxes.dtype, boxes.shape) == (np.int64, (20, 4, 50))
    assert min(top.min(), left.min()) == 0
    assert max((top + height).max(), (left + width).max()) == 200
    share, ratio = height * width / 200**2, width / height
    assert (share.min(), share.max()) == pytest.approx((0.25, 0.5), rel=0.02)
    assert (ratio.min(), ratio.max()) == pytest.approx((0.8, 1.25), rel=0.02)
    assert np.log(ratio).mean() == pytest.approx(0, abs=0.02)


def every_box():
    for height in range(1, SIZE[0] + 1):
        for width in range(1, SIZE[1] + 1):
            for top in {0, (SIZE[0] - height) // 2, SIZE[0] - height}:
                for left in {0, (SIZE[1] - width) // 2, SIZE[1] - width}:
                    yield top, left, height, width


def test_a_batch_is_what_torchvision_makes_image_by_image(draw_images):
    """Every size of box there is, at the edges and in the middle."""
    boxes = torch.tensor(list(every_box()))
    images = draw_images(len(boxes))
    batch = ResizedCrop().apply(images, boxes.T)
    assert batch.dtype == torch.uint8
    for got, image, box in zip(batch, images, boxes.tolist(), strict=True):
        expected = tv.resized_crop(image.float(), *box, list(SIZE), antialias=False)
        assert (got - expected).abs().max() <= 0.5 + 1e-3, box


def test_a_row_stretched_by_hand():
    """Four pixels from two: their centres lie at -1/4, 1/4, 3/4 and 5/4 of the box."""
    image = torch.tensor([[[[9, 0, 100, 9]]]], dtype=torch.uint8)
    (row,) = ResizedCrop().apply(image, torch.tensor([[0], [1], [1], [2]]))
    assert row[0].tolist() == [[0, 25, 75, 100]]


def test_the_whole_image_stays_as_it_is(images):
    boxes = torch.tensor([[0, 0, *SIZE]] * 20).T
    assert torch.equal(ResizedCrop().apply(images, boxes), images)


def test_the_layout_in_memory_changes_nothing(images):
    boxes = torch.from_numpy(ResizedCrop().draw(np.random.default_rng(0), (1, 20), SIZE))[0]
    other = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(ResizedCrop().apply(other, boxes), ResizedCrop().apply(images, boxes))


def test_no_value_is_needed_to_know_what_to_compute(images):
    """Tensors without values stand for those of a captured graph: reading one is an error."""
    boxes = torch.empty((4, 20), dtype=torch.int64, device="meta")
    assert ResizedCrop().apply(images.to("meta"), boxes).shape == images.shape


def test_it_repeats_to_the_bit_where_algorithms_must(images):
    boxes = torch.tensor([[1, 2, 3, 4]] * 20).T
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        assert torch.equal(*(ResizedCrop().apply(images, boxes) for _ in range(2)))
    finally:
        torch.set_deterministic_debug_mode(before)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"scale": [0.5, 0.1]}, r"scale is \[0\.5, 0\.1\]; it should be two numbers, the smaller"),
        ({"scale": [0, 1]}, r"scale\.0 is 0; it should be greater than 0"),
        ({"ratio": [1, math.inf]}, r"ratio\.1 is inf; it should be less than"),
    ],
)
def test_a_range_that_is_none_is_a_fault(options, line):
    with pytest.raises(Fault, match=rf"^params\.yaml: x\.{line}"):
        parse(ResizedCrop, options, "x")
