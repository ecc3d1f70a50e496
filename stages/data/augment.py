"""Augmentation of a whole batch at once, on the device where the images are."""

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, pad: int, top: Tensor, left: Tensor, flip: Tensor | None) -> Tensor:
    """Random crop after zero-padding and random flip, as torchvision's, of a batch [B, C, H, W].

    Each image is padded by `pad` pixels on each side, cut back to its size at (top, left), int64
    [B] from 0 to 2 * pad, and mirrored where `flip`, bool [B], says; None mirrors none. Nothing
    waits for the device, and no shape depends on a value.
    """
    cropped = _crop(images, pad, top, left) if pad else images
    return cropped if flip is None else _mirror(cropped, flip)


def _crop(images: Tensor, pad: int, top: Tensor, left: Tensor) -> Tensor:
    """Select among all windows of the padded batch, numbered by where in memory they begin."""
    padded = F.pad(images, (pad,) * 4)
    image, channel, row, column = padded.stride()
    last = (len(images) - 1) * image + 2 * pad * (row + column)
    windows = padded.as_strided((last + 1, *images.shape[1:]), (1, channel, row, column))
    first = torch.arange(len(images), device=images.device) * image
    return windows.index_select(0, first + top * row + left * column)


def _mirror(images: Tensor, flip: Tensor) -> Tensor:
    count = len(images)
    which = torch.arange(count, device=images.device) + count * flip
    return torch.cat((images, images.flip(-1))).index_select(0, which)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return uint8 images [B, C, H, W] as floats, (pixel / 255 - mean) / std per channel."""
    scale = (1 / (255 * std)).view(-1, 1, 1)
    shift = (mean / std).view(-1, 1, 1)
    return images.to(scale.dtype) * scale - shift
