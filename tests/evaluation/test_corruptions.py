from typing import get_args

import numpy as np
import pytest

from stages.evaluation.corruptions import CORRUPTIONS, SMALL, corrupted
from stages.evaluation.settings import CorruptionKind

KINDS = get_args(CorruptionKind)


def image(*planes):
    return np.array(planes, np.uint8)


def pixel(*channels):
    return image(*([[value]] for value in channels))


def flat(value, size=8):
    return np.full((1, size, size), value, np.uint8)


def test_contrast_halves_the_distance_to_the_mean():
    """The mean is 101: 101 - 101 / 2 = 50.5, 101 - 1 / 2 = 100.5; values are cut, not rounded."""
    found = corrupted(image([[0, 100], [102, 202]]), "contrast", 2, 0)
    assert found.tolist() == [[[50, 100], [101, 151]]]


def test_contrast_keeps_the_mean_of_every_channel():
    found = corrupted(image([[0, 100], [102, 202]], [[0, 2], [4, 6]]), "contrast", 2, 0)
    assert found.tolist() == [[[50, 100], [101, 151]], [[1, 2], [3, 4]]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((51, 102, 0), (89, 178, 0)),  # value 0.4 becomes 0.7: times 1.75 = 89.25, 178.5, 0
        ((0, 0, 0), (76, 76, 76)),  # 0.3 * 255 = 76.5
        ((255, 51, 255), (255, 51, 255)),  # the value is 1 already
        ((51,), (127,)),  # grey: 0.5 * 255 = 127.5
        ((230,), (255,)),
    ],
)
def test_brightness_raises_the_largest_channel_by_three_tenths(before, after):
    assert corrupted(pixel(*before), "brightness", 5, 0).ravel().tolist() == list(after)


def test_pixelate_averages_over_boxes():
    """int(4 * 0.65) = 2: four boxes of 2 x 2 pixels."""
    before = image([[0, 2, 10, 10], [4, 6, 10, 10], [8, 8, 20, 24], [8, 8, 28, 32]])
    boxes = [[3, 3, 10, 10], [3, 3, 10, 10], [8, 8, 26, 26], [8, 8, 26, 26]]
    assert corrupted(before, "pixelate", 5, 0).tolist() == [boxes]
    colour = np.concatenate([before, before, before[:, ::-1]])
    assert corrupted(colour, "pixelate", 5, 0).tolist() == [boxes, boxes, boxes[::-1]]


def test_jpeg_quantises_the_mean_of_a_block():
    """Quality 40 has the step (16 * 125 + 50) // 100 = 20 for 8 * (value - 128).

    109: -152 / 20 rounds to -8, and 128 - 8 * 20 / 8 = 108.
    """
    assert np.array_equal(corrupted(flat(109), "jpeg", 5, 0), flat(108))
    assert np.array_equal(corrupted(flat(128), "jpeg", 5, 0), flat(128))


def test_jpeg_of_colour_is_near_it_at_the_best_quality():
    smooth = np.stack([np.add.outer(np.arange(16), np.arange(16)) * k for k in (1, 3, 5)])
    found = corrupted(smooth.astype(np.uint8), "jpeg", 1, 0)
    assert np.abs(found.astype(int) - smooth).mean() < 4


@pytest.mark.parametrize(("severity", "deviation"), [(1, 0.4), (5, 1.0)])
def test_blur_spreads_a_point_by_a_gaussian(severity, deviation):
    reach = int(4 * deviation + 0.5)
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    weights /= weights.sum()
    expected = np.zeros((1, 11, 11))
    around = slice(5 - reach, 5 + reach + 1)
    expected[0, around, around] = np.outer(weights, weights) * 255
    point = np.zeros((1, 11, 11), np.uint8)
    point[0, 5, 5] = 255
    assert np.array_equal(corrupted(point, "gaussian_blur", severity, 0), expected.astype(np.uint8))


def test_blur_does_not_darken_the_border():
    assert (corrupted(flat(200, 3), "gaussian_blur", 5, 0) >= 199).all()


@pytest.mark.parametrize(("side", "deviations"), [(64, (0.04, 0.1)), (65, (0.08, 0.38))])
def test_noise_has_the_published_deviations(side, deviations):
    """Those of CIFAR-10-C up to 64 pixels, those of ImageNet-C above; grey is hardly cut."""
    grey = np.full((3, side, side), 128, np.uint8)
    for severity, deviation in zip((1, 5), deviations, strict=True):
        found = corrupted(grey, "gaussian_noise", severity, 0) / 255
        inside = np.abs(found - 128 / 255) < deviation
        assert inside.mean() == pytest.approx(0.6827, abs=0.025)


def test_noise_is_the_same_for_an_image_and_another_for_the_next():
    grey = flat(128)
    one, again, next_one = (corrupted(grey, "gaussian_noise", 1, i) for i in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, next_one)
    assert not np.array_equal(one, corrupted(grey, "gaussian_noise", 2, 3))


def test_noise_is_cut_at_black_and_white():
    found = corrupted(image([[0] * 50, [255] * 50]), "gaussian_noise", 5, 0)
    assert 0.2 < (found[0, 0] == 0).mean() < 0.8
    assert 0.2 < (found[0, 1] == 255).mean() < 0.8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (3, 8, 8), (1, 1, 1), (3, 5, 7), (2, 8, 8), (3, 32, 32), (1, 70, 66)]
)
def test_images_of_every_size_are_corrupted_and_left_as_they_were(kind, shape):
    before = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    before.flags.writeable = False
    for severity in range(1, 6):
        found = corrupted(before, kind, severity, 0)
        assert (found.shape, found.dtype) == (before.shape, np.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, SMALL + 32])
def test_images_are_further_from_the_clean_ones_at_severity_5(kind, size):
    rows = np.linspace(40, 200, size)
    before = np.stack([np.add.outer(rows, rows[::-1] * k) / (1 + k) for k in (0.2, 0.5, 0.9)])
    before[:, ::5, ::3] += 30
    before = before.astype(np.uint8)

    def distance(severity):
        return np.abs(corrupted(before, kind, severity, 0).astype(float) - before).mean()

    assert 0 < distance(1) < distance(5)


def test_each_kind_has_five_amounts_for_small_and_for_large_images():
    assert tuple(CORRUPTIONS) == KINDS
    assert {len(a) for each in CORRUPTIONS.values() for a in (each.small, each.large)} == {5}
