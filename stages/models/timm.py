"""Any network of timm, by its name: ViT, DeiT, Swin, ConvNeXt and some thousand more."""

from difflib import get_close_matches
from types import ModuleType
from typing import Any

from torch import nn

from stages.pipeline.fault import Fault

FILE = "model.safetensors"


def create_model(
    num_classes: int, in_channels: int = 3, *, name: str, pretrained: bool = False, **options: Any
) -> nn.Module:
    """Return `timm.create_model(name, **options)`, such as img_size and patch_size of a ViT.

    `pretrained` weights are the safetensors of Hugging Face's hub, tensors alone; timm fits their
    stem and head to the data. Raises a Fault without timm, for an unknown name, for weights that
    are not there, and for a file of weights, on which no stage would depend.
    """
    timm = _timm()
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), 1, cutoff=0)
        raise Fault(f"model.options: name is {name!r}, no network of timm; did you mean {near[0]}?")
    if options.get("checkpoint_path"):
        raise Fault("model.options: checkpoint_path: name a file of weights in train.weights")
    if pretrained:
        config = timm.get_pretrained_cfg(name)
        options["pretrained_cfg_overlay"] = {"file": _weights(name, config and config.hf_hub_id)}
    network: nn.Module = timm.create_model(
        name, pretrained, num_classes=num_classes, in_chans=in_channels, **options
    )
    return network


def initialise(network: nn.Module) -> None:
    """Leave a network that was built anew as it is: timm starts each of them in its own way."""


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError:
        raise Fault(
            "model.code: stages/models/timm.py needs timm: pip install 'afterprune[timm]'"
        ) from None
    return timm


def _weights(name: str, repository: str | None) -> str:
    """Return where the weights of a network lie on this disk, downloaded where they do not yet."""
    from huggingface_hub import hf_hub_download

    if not repository:
        raise Fault(f"pretrained: timm has no weights for {name}")
    try:
        return str(hf_hub_download(repository, FILE))
    except (OSError, ValueError) as error:
        reason = " ".join(f"{error}".split())
        raise Fault(f"pretrained: no {FILE} for {name} ({reason})") from error
