"""Networks as ONNX."""

import importlib.util
from pathlib import Path

import torch
from torch import nn

MISSING = "onnx needs more packages: pip install 'afterprune[export]'"


def can_export() -> bool:
    """Whether the packages are there that writing ONNX takes."""
    return importlib.util.find_spec("onnxscript") is not None


def write_onnx(network: nn.Module, images: torch.Tensor, target: Path) -> None:
    """Write a network as ONNX: `images` [N, C, H, W], of any N, to `logits` [N, K].

    The network must be in evaluation mode; `images`, of two or more, is an example.
    """
    torch.onnx.export(
        network,
        (images,),
        target,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        dynamo=True,
        verbose=False,
    )
