"""Networks as ONNX."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

MISSING = "onnx needs more packages: pip install 'afterprune[export]'"


def can_export() -> bool:
    """Whether the packages are there that writing ONNX takes."""
    return find_spec("onnxscript") is not None


def can_run() -> bool:
    """Whether the packages are there that writing ONNX and running it takes."""
    return can_export() and find_spec("onnxruntime") is not None


def write_onnx(
    network: nn.Module,
    images: torch.Tensor,
    target: Path,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a network as ONNX: `images` [N, C, H, W], of any N, to `logits` [N, K].

    The network must be in evaluation mode; `images`, of two or more, is an example. `metadata` is
    what onnxruntime calls the custom metadata of the model.
    """
    program = torch.onnx.export(
        network,
        (images,),
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(metadata or {})
    program.save(target, external_data=False)
