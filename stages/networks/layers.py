"""What the networks share: the parameter-free shortcut and initialisations."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelShortcut(nn.Module):
    """Parameter-free shortcut that changes shape: subsample, then append zero channels.

    [B, C, H, W] -> [B, len(source), ceil(H / stride), ceil(W / stride)]; option A of He et al.
    (2016), section 4.2. The buffer `source` names the input channel that each output channel
    copies, -1 for a channel of zeros; surgery may leave any such list. Gradient flows to the input.
    """

    source: Tensor
    copied: int | None

    def __init__(self, stride: int, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.stride = stride
        channels = torch.arange(out_channels)
        self.register_buffer("source", channels.where(channels < in_channels, -1))
        after_loading: Any = self.register_load_state_dict_post_hook
        after_loading(lambda module, _: module.connect(module.source))
        self.connect(self.source)

    def connect(self, source: Tensor) -> None:
        """Set which input channel each output channel copies: int64 [out_channels], -1 for none."""
        channels = torch.arange(len(source), device=source.device)
        count = int((source >= 0).sum())
        leading = bool(torch.equal(source, channels.where(channels < count, -1)))
        self.source = source
        self.copied = count if leading else None

    def forward(self, x: Tensor) -> Tensor:
        """Route the channels of `x`; plain padding when the first ones are copied in order."""
        x = x[:, :, :: self.stride, :: self.stride]
        if self.copied is None:
            return F.pad(x, (0, 0, 0, 0, 0, 1))[:, self.source]
        return F.pad(x[:, : self.copied], (0, 0, 0, 0, 0, len(self.source) - self.copied))


def shortcut(stride: int, in_channels: int, out_channels: int) -> nn.Module:
    """Return the identity where a block keeps its shape, a ChannelShortcut where it does not."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return ChannelShortcut(stride, in_channels, out_channels)


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a padded 3x3 convolution without bias."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)


def initialise(network: nn.Module) -> None:
    """Re-initialise a network in place, whatever its widths.

    Convolutions: Kaiming normal by fan_out (He et al. 2015, equation 14), their biases 0;
    BatchNorm: scale 1, shift 0, statistics reset; linear layers: torch's default.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_parameters()


def truncated_normal(network: nn.Module) -> None:
    """Re-initialise the layers of a transformer in place, whatever their widths.

    Convolutions and linear layers: N(0, 0.02), cut off at 2, their biases 0; LayerNorm: scale 1,
    shift 0. As timm initialises DeiT and ConvNeXt; parameters outside layers stay as they are.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
