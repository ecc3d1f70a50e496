import numpy as np
import pytest

from stages.data import statistics
from stages.data.statistics import channel_statistics


def test_two_pixels_by_hand():
    # channel 0: 0 and 255, mean 1/2, std 1/2; channel 1: 51 and 153, i.e. .2 and .6
    images = np.array([[0, 51], [255, 153]], np.uint8).reshape(2, 2, 1, 1)
    mean, std = channel_statistics(images, np.arange(2))
    assert mean == pytest.approx([0.5, 0.4], abs=1e-15)
    assert std == pytest.approx([0.5, 0.2], abs=1e-15)


def test_equal_to_numpy_in_float64_over_several_chunks(monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK", 7)
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 4), dtype=np.uint8)
    index = np.arange(1, 40, 2)
    mean, std = channel_statistics(images, index)
    pixels = images[index].astype(np.float64) / 255
    assert mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-13)
    assert std == pytest.approx(pixels.std((0, 2, 3)), rel=1e-13)


def test_images_outside_the_index_do_not_count():
    images = np.zeros((3, 1, 2, 2), np.uint8)
    images[2] = 200
    assert channel_statistics(images, np.array([0, 1]))[0] == [0.0]


def test_a_constant_channel_can_be_divided_by():
    assert channel_statistics(np.full((2, 1, 2, 2), 7, np.uint8), np.arange(2))[1] == [1.0]
