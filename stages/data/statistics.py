"""Mean and standard deviation of the pixels, exactly."""

import numpy as np

CHUNK = 256


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and population standard deviation per channel of pixels / 255.

    The images are uint8 [N, C, H, W]. Both follow in integers from a histogram of the 256 values.
    A constant channel gets 1.0, so that dividing by it is safe.
    """
    moments = [_moments(histogram) for histogram in _histograms(images)]
    return [mean for mean, _ in moments], [std for _, std in moments]


def _histograms(images: np.ndarray) -> np.ndarray:
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        for channel, count in enumerate(counts):
            count += np.bincount(chunk[:, channel].ravel(), minlength=256)
    return counts


def _moments(histogram: np.ndarray) -> tuple[float, float]:
    value = np.arange(256)
    n, first, second = (int(histogram @ value**power) for power in range(3))
    variance = (n * second - first**2) / (255 * n) ** 2
    return first / (255 * n), variance**0.5 or 1.0
