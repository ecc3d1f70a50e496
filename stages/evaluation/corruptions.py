"""Corruptions of test images, by Hendrycks and Dietterich (2019, arXiv:1903.12261).

Functions and amounts are those of the authors' code (github.com/hendrycks/robustness, ImageNet-C):
make_cifar_c.py made CIFAR-10-C, imagenet_c/corruptions.py ImageNet-C. Values are cut to whole ones,
not rounded, as there. An image is uint8 [C, H, W] of any size, grey or in colour.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from stages.evaluation.settings import CorruptionKind

SMALL = 64
"""The shorter side, in pixels, up to which an image is corrupted as those of CIFAR-10."""
Corrupt = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """A function of an image and an amount, and that of severity 1 to 5 by the size of images."""

    corrupt: Corrupt
    small: tuple[float, ...]
    large: tuple[float, ...]


def corrupted(image: np.ndarray, kind: CorruptionKind, severity: int, index: int) -> np.ndarray:
    """Corrupt image number `index` of a set: the same bytes for every network and on every run."""
    corruption = CORRUPTIONS[kind]
    amounts = corruption.small if min(image.shape[1:]) <= SMALL else corruption.large
    return corruption.corrupt(
        image, amounts[severity - 1], np.random.default_rng([index, severity])
    )


def gaussian_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise to every pixel of every channel."""
    return _bytes(image / 255 + rng.normal(scale=deviation, size=image.shape))


def gaussian_blur(image: np.ndarray, deviation: float, _: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian, in pixels, cut at 4 deviations; the border is continued outwards."""
    return _bytes(gaussian_filter(image / 255, (0, deviation, deviation), mode="nearest"))


def contrast(image: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """Move every pixel towards the mean of its channel."""
    means = np.mean(image / 255, axis=(1, 2), keepdims=True)
    return _bytes((image / 255 - means) * factor + means)


def brightness(image: np.ndarray, rise: float, _: np.random.Generator) -> np.ndarray:
    """Raise the value of every pixel in HSV, its largest channel; hue and saturation stay."""
    value = np.max(image / 255, axis=0, keepdims=True)
    black = value == 0
    share = np.where(black, 1, image / 255 / np.where(black, 1, value))
    return _bytes(share * np.minimum(value + rise, 1))


def pixelate(image: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """Average over boxes down to a part of the size, and enlarge back to it."""
    height, width = image.shape[1:]
    small = max(1, int(width * factor)), max(1, int(height * factor))

    def resized(plane: Image.Image) -> Image.Image:
        return plane.resize(small, Image.Resampling.BOX).resize(
            (width, height), Image.Resampling.BOX
        )

    return _by_pillow(image, resized)


def jpeg(image: np.ndarray, quality: float, _: np.random.Generator) -> np.ndarray:
    """Compress to JPEG and read back: Pillow's default subsampling, as the authors."""

    def compressed(plane: Image.Image) -> Image.Image:
        file = BytesIO()
        plane.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return _by_pillow(image, compressed)


CORRUPTIONS: Mapping[CorruptionKind, Corruption] = {
    "gaussian_noise": Corruption(
        gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)
    ),
    "gaussian_blur": Corruption(gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1), (1, 2, 3, 4, 6)),
    "contrast": Corruption(contrast, (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "brightness": Corruption(brightness, (0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "pixelate": Corruption(pixelate, (0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),
    "jpeg": Corruption(jpeg, (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}


def _bytes(values: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = np.clip(values, 0, 1) * 255
    return scaled.astype(np.uint8)


def _by_pillow(image: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Apply a function of Pillow's images: to three channels as RGB, to others one by one."""
    if len(image) == 3:
        changed = change(Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))))
        return np.array(changed).transpose(2, 0, 1)
    planes = [change(Image.fromarray(np.ascontiguousarray(plane))) for plane in image]
    return np.stack([np.array(plane) for plane in planes])
