"""Which parameters of a network are trained: all, or parts of it."""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stages.pipeline.fault import Fault
from stages.retraining.parts import Blocks, MaskedLora, Part
from stages.retraining.technique import Technique
from stages.training.lora import Adapter, Place, adapt, places

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def freeze(
    network: nn.Module,
    parts: Sequence[Part],
    classes: int,
    masks: Mapping[str, Tensor] | None = None,
    seed: int = 0,
) -> None:
    """Freeze all parameters outside of these parts; what the network froze itself stays frozen.

    norm: scales and shifts of normalisation layers. bias: every parameter of that name, shifts
    included. head: of the linear and convolutional layers with an output for each of the `classes`
    the one defined last. blocks k: the last k of the network's own modules that have parameters.
    Norm, bias and head are the sets of PERP (Zimmer 2023). masked_lora: every other weight of a
    linear layer or convolution by an adapter, drawn from `seed`, under the weight's mask if it has
    one. Statistics of BatchNorm are no parameters, and follow the images as ever. A Fault where the
    network has no such part.
    """
    lora = next((part for part in parts if isinstance(part, MaskedLora)), None)
    others = [part for part in parts if part != lora]
    trained = {id(p) for part in others for p in _parameters(network, part, classes)}
    adapted = _adapted(network, trained, lora) if lora else []
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.requires_grad and id(parameter) in trained)
    if lora:
        generator, scale = torch.Generator().manual_seed(seed), (lora.masked_lora, lora.alpha)
        made: dict[int, Adapter] = {}
        for place in adapted:
            key, mask = id(place.weight), (masks or {}).get(place.name)
            if key not in made:  # a weight that layers share has one adapter, as it has one mask
                made[key] = Adapter(place.weight, *scale, mask, generator)
            adapt(place, made[key])


def missing_parts(network: nn.Module, trainable: Mapping[str, Any], classes: int) -> Iterator[str]:
    """Yield a line for every schedule, by name, that is to train a part which is not there."""
    for name, parts in trainable.items():
        try:
            freeze(copy.deepcopy(network), Technique(trainable=parts).trainable, classes)
        except Fault as fault:
            yield f"retrain.schedules.{name}.{fault}"


def head_of(network: nn.Module, classes: int) -> nn.Module | None:
    """Return the layer that gives the classes: of those with an output for each, the last."""
    heads = [module for module in network.modules() if _outputs(module) == classes]
    return heads[-1] if heads else None


def _adapted(network: nn.Module, trained: Collection[int], lora: MaskedLora) -> list[Place]:
    """Return the weights that adapters train: those that nothing else does, or has frozen."""
    free = [
        place
        for place in places(network)
        if place.weight.requires_grad and id(place.weight) not in trained
    ]
    if not free:
        raise _missing(lora)
    return free


def _parameters(network: nn.Module, part: Part, classes: int) -> list[nn.Parameter]:
    if isinstance(part, Blocks):
        found = _of_blocks(network, part.blocks)
    elif part == "all":
        found = list(network.parameters())
    elif part == "norm":
        norms = [module for module in network.modules() if isinstance(module, NORMS)]
        found = [p for module in norms for p in module.parameters()]
    elif part == "bias":
        found = [p for name, p in network.named_parameters() if name.split(".")[-1] == "bias"]
    else:
        head = head_of(network, classes)
        found = list(head.parameters()) if head else []
    if not any(parameter.requires_grad for parameter in found):
        raise _missing(part)
    return found


def _missing(part: Part) -> Fault:
    return Fault(f"trainable: the network has no {part} that could be trained")


def _outputs(module: nn.Module) -> int | None:
    """Return the outputs of a linear or convolutional layer; None for another module."""
    if isinstance(module, nn.Linear):
        return module.out_features
    return module.out_channels if isinstance(module, nn.modules.conv._ConvNd) else None


def _of_blocks(network: nn.Module, count: int) -> list[nn.Parameter]:
    blocks = [block for block in network.children() if any(True for _ in block.parameters())]
    if count > len(blocks):
        raise Fault(f"trainable.blocks is {count}; the network has {len(blocks)}")
    return [parameter for block in blocks[-count:] for parameter in block.parameters()]
