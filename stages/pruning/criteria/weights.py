"""Weight criteria: a score for each weight of convolutions and linear layers, higher = keep.

Each is `(model, batches, generator, *, own options) -> {parameter name: Tensor of its shape}`. No
criterion changes the model. Keyword-only parameters are the criterion's options in params.yaml: a
new criterion is one function here and one line of WEIGHT_CRITERIA.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt

from stages.pipeline.fault import Fault
from stages.pruning.criteria.gradients import averaged, products
from stages.pruning.criteria.layers import weights
from stages.pruning.criteria.types import Batches, Scores

if TYPE_CHECKING:
    import torch
    from torch import nn


def magnitude(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    """Absolute weight (Han et al. 2015)."""
    return {name: weight.abs() for name, weight in weights(model).items()}


def snip(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    """|weight * gradient| of the loss over all images (SNIP, Lee et al. 2019, equation 5).

    Not divided by the sum over the network, which changes no ranking.
    """
    total = averaged(products(model, batches, reduction="sum"), momentum=None)
    return {name: total[name].abs() for name in weights(model)}


def taylor(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    *,
    momentum: Annotated[float, Ge(0), Lt(1)] | None = 0.9,
) -> Scores:
    """(weight * gradient)^2 (Molchanov et al. 2019, equation 7).

    `momentum` averages exponentially over batches; None plainly.
    """
    names = list(weights(model))
    squares = ({name: terms[name].square() for name in names} for terms in products(model, batches))
    return averaged(squares, momentum)


def synflow(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    """|weight| * gradient of the summed output for an image of ones (SynFlow, Tanaka et al. 2020).

    In double precision, on the network made linear: absolute weights, no biases, BatchNorm reduced
    to its scale. Of the batches only the image shape counts. `iterations: 100` is the published
    form. A Fault where a layer does not become linear so, as LayerNorm, and scores are below 0.
    """
    import torch

    if not batches:
        raise Fault("criterion: synflow needs one batch, for the shape of the images")
    linear = _linearised(model)
    names = list(weights(model))
    parameters = [linear.get_parameter(name) for name in names]
    ones = torch.ones_like(batches[0][0][:1], dtype=torch.float64)
    with torch.enable_grad():
        gradients = torch.autograd.grad(linear(ones).sum(), parameters, materialize_grads=True)
    triples = zip(names, parameters, gradients, strict=True)
    scores = {name: (parameter * gradient).detach() for name, parameter, gradient in triples}
    for name, values in scores.items():
        if (values < 0).any():
            raise Fault(
                f"criterion: synflow scores {name} below 0: the network does not become linear, "
                "as none with LayerNorm, GroupNorm or attention does; take another criterion"
            )
    return scores


def random(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    """Uniform noise: under a global threshold every layer loses the same share in expectation."""
    import torch

    return {
        name: torch.rand(weight.shape, generator=generator)
        for name, weight in weights(model).items()
    }


def _linearised(model: nn.Module) -> nn.Module:
    from torch import nn

    linear = copy.deepcopy(model).double().eval().requires_grad_(True)
    for module in linear.modules():
        for name, parameter in module.named_parameters(recurse=False):
            parameter.data = parameter.data.abs() if name != "bias" else parameter.data.zero_()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.zero_()
    return linear


WEIGHT_CRITERIA: dict[str, Callable[..., Scores]] = {
    "magnitude": magnitude,
    "snip": snip,
    "taylor": taylor,
    "synflow": synflow,
    "random": random,
}
