"""A small vision transformer, for images and for signals (Dosovitskiy et al. 2021).

Pre-norm blocks, learned positions, no dropout. The number of an attention's heads is nowhere but in
the shapes of its weights: a network that lost heads is rebuilt from the shapes of its tensors.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers import truncated_normal
from stages.pipeline.fault import Fault


class Attention(nn.Module):
    """Self-attention of `heads` heads; softmax(q k^T / sqrt(head_width)) v (Vaswani et al. 2017).

    Each head reads `head_width` outputs of each of q, k and v, which are three linear layers, or
    with `fused` one layer that holds their outputs one after another, as in timm.
    """

    def __init__(self, width: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.head_width = width // heads
        if fused:
            self.qkv = nn.Linear(width, 3 * width)
        else:
            self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.fused = fused
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, N, width] -> [B, N, width]."""
        parts = self.qkv(x).chunk(3, -1) if self.fused else (self.q(x), self.k(x), self.v(x))
        q, k, v = (p.unflatten(-1, (-1, self.head_width)).transpose(1, 2) for p in parts)
        mixed = F.scaled_dot_product_attention(q, k, v)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class Block(nn.Module):
    """LayerNorm and attention, LayerNorm and a perceptron of one hidden layer, each added to x."""

    def __init__(self, width: int, heads: int, hidden: int, fused: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads, fused)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, N, width] -> [B, N, width]."""
        x = x + self.attention(self.norm1(x))
        mixed: Tensor = x + self.fc2(F.gelu(self.fc1(self.norm2(x))))
        return mixed


class ViT(nn.Module):
    """Patches as tokens of `width` numbers, `depth` blocks, and a linear head.

    `image` and `patch` are (height, width) in pixels. The head reads the mean of all tokens, or
    with `class_token` a token of its own.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image: tuple[int, int],
        patch: tuple[int, int],
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        class_token: bool,
        fused: bool,
    ) -> None:
        super().__init__()
        self.image = image
        tokens = image[0] // patch[0] * (image[1] // patch[1]) + class_token
        self.patches = nn.Conv2d(in_channels, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width)) if class_token else None
        self.positions = nn.Parameter(torch.zeros(1, tokens, width))
        self.blocks = nn.Sequential(*(Block(width, heads, hidden, fused) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]; a Fault for another H or W."""
        if tuple(x.shape[-2:]) != self.image:
            given = list(x.shape[-2:])
            raise Fault(f"model.options: image is {list(self.image)}, the data's are {given}")
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)
        x = self.norm(self.blocks(x + self.positions))
        logits: Tensor = self.head(x.mean(1) if self.class_token is None else x[:, 0])
        return logits


def initialise(network: nn.Module) -> None:
    """Re-initialise a network in place: weights, positions and class token N(0, 0.02), biases 0."""
    truncated_normal(network)
    for own in network.parameters(recurse=False):
        nn.init.trunc_normal_(own, std=0.02)


def vit_tiny(
    num_classes: int,
    in_channels: int = 1,
    *,
    image: tuple[int, int] = (28, 28),
    patch: tuple[int, int] = (4, 4),
    width: int = 64,
    depth: int = 4,
    heads: int = 4,
    mlp_ratio: float = 2.0,
    class_token: bool = False,
    fused: bool = False,
) -> ViT:
    """Return a ViT; a Fault where patches do not tile the image or heads do not divide the width.

    Signals [B, in_channels, 1, L] are images of one row: `image` (1, L), `patch` (1, 4), say.
    """
    image, patch = _pair("image", image), _pair("patch", patch)
    if any(side % part for side, part in zip(image, patch, strict=True)):
        raise Fault(f"model.options: patches of {list(patch)} do not tile images of {list(image)}")
    for name, number, least in (("width", width, 1), ("depth", depth, 0), ("heads", heads, 1)):
        if not isinstance(number, int) or number < least:
            allowed = f"it should be a whole number from {least} on"
            raise Fault(f"model.options: {name} is {number!r}; {allowed}")
    if width % heads:
        raise Fault(f"model.options: heads is {heads}; it must divide width, {width}")
    hidden = round(mlp_ratio * width)
    return ViT(
        num_classes, in_channels, image, patch, width, depth, heads, hidden, class_token, fused
    )


def _pair(name: str, sides: object) -> tuple[int, int]:
    """Return what YAML holds as a list of two sides, as a tuple."""
    match sides:
        case [int(height), int(width)] if min(height, width) > 0:
            return height, width
    raise Fault(f"model.options: {name} is {sides}; it must be [height, width] in pixels")
