import numpy as np
import pytest

from stages.data.statistics import channel_statistics


def test_two_pixels_by_hand():
    # channel 0: 0 and 255, mean 1/2, std 1/2; channel 1: 51 and 153, i.e. .2 and .6
    images = np.array([[0, 51], [255, 153]], np.uint8).reshape(2, 2, 1, 1)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx([0.5, 0.4], abs=1e-15)
    assert std == pytest.approx([0.5, 0.2], abs=1e-15)


def test_equal_to_numpy_in_float64():
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 4), dtype=np.uint8)
    mean, std = channel_statistics(images)
    pixels = images.astype(np.float64) / 255
    assert mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-13)
    assert std == pytest.approx(pixels.std((0, 2, 3)), rel=1e-13)


def test_a_constant_channel_can_be_divided_by():
    assert channel_statistics(np.full((2, 1, 2, 2), 7, np.uint8))[1] == [1.0]
