"""Networks whose tensors were cut: saved and loaded by their shapes alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from stages.networks.attention import HEADS, attentions, keep_heads, number
from stages.networks.building import Spec, build
from stages.networks.layers import ChannelShortcut
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pipeline.params import parse, printable
from stages.pipeline.section import Section

Shape = tuple[int, ...]
Kept = Mapping[str, Mapping[int, np.ndarray]]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it should be on one line")
    return text


Printable = Annotated[str, AfterValidator(_printable)]


class _Model(Section):
    """A Spec as JSON."""

    code: Printable
    factory: Printable
    options: dict[str, Any]
    num_classes: Annotated[int, Field(ge=1)]
    in_channels: Annotated[int, Field(ge=1)]


class _About(Section):
    """What the metadata of a network's file holds."""

    model: _Model


def save(path: Path | str, network: nn.Module, spec: Spec) -> None:
    """Write the network's tensors as safetensors, with the Spec of its dense architecture."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    save_arrays(path, arrays, {"model": asdict(spec)})


def read_spec(path: Path | str) -> Spec:
    """Read the Spec that `save` wrote."""
    about: _About = parse(_About, read_meta(path), file=path)
    return Spec(**dict(about.model))


def built(spec: Spec, seed: int | None = None) -> nn.Module:
    """Build the dense network of a Spec, which need not be pretrained to be filled."""
    options = {key: value for key, value in spec.options.items() if key != "pretrained"}
    return build(replace(spec, options=options), seed)


def load(path: Path | str) -> nn.Module:
    """Read a network that `save` wrote, dense or cut; a Fault when its tensors do not fit."""
    return filled(built(read_spec(path)), path)


def filled(network: nn.Module, path: Path | str) -> nn.Module:
    """Give a dense network, in place, the shapes and values of a file that `save` wrote."""
    arrays = load_arrays(path)
    try:
        resize(network, {name: array.shape for name, array in arrays.items()})
    except Fault as fault:
        raise Fault(f"{path}: {fault}") from None
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network


def resize(network: nn.Module, shapes: Mapping[str, Shape]) -> None:
    """Give every tensor of the network its named shape in place; what changes shape holds zeros.

    Convolutions, linear layers, BatchNorm, PReLU, the shortcut and attentions may change. A grouped
    convolution keeps its number of groups when its inputs per group shrink, and loses whole groups
    when they do not; an attention keeps the width of its heads.
    Raises a Fault that names the layer whose shapes are missing or do not belong together.
    """
    unmatched = sorted(network.state_dict().keys() ^ shapes.keys())
    if unmatched:
        raise Fault(f"{printable(unmatched[0])}: the tensors are not those of this network")
    for name, attention in attentions(network):
        keep_heads(attention, name, shapes)
    holders = Counter(own for module in network.modules() for own in module.parameters(False))
    for name, module in network.named_modules():
        own = {
            leaf: (tensor, tuple(shapes[f"{name}.{leaf}".lstrip(".")]))
            for leaf, tensor in module.state_dict(keep_vars=True).items()
            if "." not in leaf and leaf != "num_batches_tracked"
        }
        if any(tensor.shape != shape for tensor, shape in own.values()):
            for leaf, (tensor, _) in own.items():
                if holders[tensor] > 1:
                    shared = f"{name}.{leaf}".lstrip(".")
                    raise Fault(f"{shared}: another layer has the same tensor; they would part")
            _resize(name, module, own)


def cut(tensors: Mapping[str, Tensor], kept: Kept) -> dict[str, Tensor]:
    """Select `kept[name][dim]` (int64 indices) along each dim; unnamed tensors pass unchanged.

    A shortcut's `source` [out] stands for an [out, in] selection: its dim 1 are the kept inputs,
    so that an index becomes its new position, or -1 where its input is gone.
    """
    return {name: _cut(name, tensor, kept.get(name, {})) for name, tensor in tensors.items()}


def flat(kept: Kept) -> dict[str, np.ndarray]:
    """Return `kept` as named arrays for a file: "name/dim" -> indices."""
    return {f"{name}/{dim}": index for name, dims in kept.items() for dim, index in dims.items()}


def nested(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[int, np.ndarray]]:
    """Return what `flat` was given."""
    kept: dict[str, dict[int, np.ndarray]] = {}
    for key, index in arrays.items():
        name, dim = key.rsplit("/", 1)
        kept.setdefault(name, {})[int(dim)] = index
    return kept


def _resize(name: str, module: nn.Module, own: Mapping[str, tuple[Tensor, Shape]]) -> None:
    given = {leaf: shape for leaf, (_, shape) in own.items()}
    ranks = all(tensor.ndim == len(shape) for tensor, shape in own.values())
    if not ranks or given != _adopt(module, given):
        shapes = ", ".join(f"{leaf} {list(shape)}" for leaf, shape in given.items())
        raise Fault(f"{name}: {type(module).__name__} cannot have the shapes {shapes}")
    for leaf, (tensor, shape) in own.items():
        zeros = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
        if isinstance(tensor, nn.Parameter):
            setattr(module, leaf, nn.Parameter(zeros, tensor.requires_grad))
        else:
            setattr(module, leaf, zeros)


def _adopt(module: nn.Module, given: Mapping[str, Shape]) -> Mapping[str, Shape]:
    """Set the widths that the given shapes imply; return the shapes that the module then has."""
    if isinstance(module, nn.Conv2d):
        out, inputs = given["weight"][:2]
        module.groups = _groups(module, out, inputs)
        module.out_channels, module.in_channels = out, inputs * module.groups
        whole = out - out % module.groups if module.groups else 0
        weight: Shape = (whole, inputs, *module.kernel_size)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight = given["weight"]
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        (module.num_features,) = weight = next(iter(given.values()))
    elif isinstance(module, nn.PReLU):
        (module.num_parameters,) = weight = given["weight"]
    elif isinstance(module, ChannelShortcut):
        weight = given["source"]
    elif isinstance(module, nn.MultiheadAttention):
        weight = (3 * module.num_heads * module.head_dim, module.embed_dim)
    elif heads := number(module, HEADS):
        return {n: _with_heads(module.state_dict()[n], heads, given[n]) for n in given}
    else:
        return {}
    return {leaf: weight if leaf.endswith("weight") else weight[:1] for leaf in given}


def _with_heads(tensor: Tensor, heads: int, shape: Shape) -> Shape:
    """Return the shape of an attention's own tensor when what changes has an entry a head."""
    sizes = zip(tensor.shape, shape, strict=True)
    return tuple(before if before == after else heads for before, after in sizes)


def _groups(conv: nn.Conv2d, out: int, inputs: int) -> int:
    if conv.groups == 1 or inputs != conv.weight.shape[1]:
        return conv.groups
    return out * conv.groups // conv.out_channels


def _cut(name: str, tensor: Tensor, dims: Mapping[int, np.ndarray]) -> Tensor:
    for dim, indices in dims.items():
        index = torch.as_tensor(indices, device=tensor.device)
        if dim == tensor.ndim == 1 and not tensor.is_floating_point():
            tensor = _renumber(tensor, index)
        elif dim < tensor.ndim and bool((index < tensor.shape[dim]).all()):
            tensor = tensor.index_select(dim, index)
        else:
            raise Fault(f"{name}: shape {list(tensor.shape)} has not all kept indices of dim {dim}")
    return tensor


def _renumber(source: Tensor, kept: Tensor) -> Tensor:
    places = kept.new_full((int(max(source.max(), kept.max())) + 2,), -1)
    places[kept] = torch.arange(len(kept), device=kept.device)
    return places[source]
