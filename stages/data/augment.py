"""Augmentation of a whole batch at once, on the device where the images are."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Augmenter:
    """Random crop after zero-padding and random flip, as torchvision's, of batches of uint8 images.

    The images are padded once; a crop is a gather from a view that holds every window.
    """

    def __init__(self, images: Tensor, pad: int) -> None:
        """Take images [N, C, H, W] and the padding in pixels on each side."""
        height, width = images.shape[-2:]
        padded = F.pad(images, (pad,) * 4) if pad else images
        self._windows = padded.unfold(2, height, 1).unfold(3, width, 1)

    def batch(self, index: Tensor, top: Tensor, left: Tensor, flip: Tensor | None) -> Tensor:
        """Return the images at `index` [B], cropped at (top, left) and flipped where `flip` says.

        Returns uint8 [B, C, H, W].
        """
        images = self._windows[index, :, top, left]
        if flip is None:
            return images
        return torch.where(flip[:, None, None, None], images.flip(-1), images)


def augment(images: Tensor, pad: int, top: Tensor, left: Tensor, flip: Tensor | None) -> Tensor:
    """Return uint8 images [B, C, H, W] cropped at (top, left) [B] after zero-padding, flipped."""
    height, width = images.shape[-2:]
    if pad:
        windows = F.pad(images, (pad,) * 4).unfold(2, height, 1).unfold(3, width, 1)
        rows = torch.arange(len(images), device=images.device)
        images = windows[rows, :, top, left]
    if flip is None:
        return images
    return torch.where(flip[:, None, None, None], images.flip(-1), images)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return uint8 images [B, C, H, W] as floats, (pixel / 255 - mean) / std per channel."""
    scale = (1 / (255 * std)).view(-1, 1, 1)
    shift = (mean / std).view(-1, 1, 1)
    return images.to(scale.dtype) * scale - shift
