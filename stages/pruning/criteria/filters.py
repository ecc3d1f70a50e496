"""Filter criteria: a score for each output of each layer that makes units, higher = keep.

Each is `(model, batches, generator, units, *, own options) -> {module name: Tensor [outputs]}`; the
modules are the convolutions (of neurons and heads also linear layers), or the BatchNorms that their
channels pass. The row of a linear layer is scored as a filter is. No criterion changes the model.
Keyword-only parameters are the criterion's options in params.yaml: a new criterion is one function
here and one line of FILTER_CRITERIA.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Lt

from stages.pruning.criteria.gradients import averaged, products
from stages.pruning.criteria.layers import batchnorms, filters, weight_names
from stages.pruning.criteria.ranks import mean_ranks
from stages.pruning.criteria.types import Batches, Scores
from stages.pruning.method import CHANNELS, Units

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def l1(
    model: nn.Module, batches: Batches, generator: torch.Generator, units: Units = CHANNELS
) -> Scores:
    """Sum of a filter's absolute weights (PFEC, Li et al. 2017, section 3.1)."""
    return {name: weight.abs().flatten(1).sum(1) for name, weight in filters(model, units).items()}


def l2(
    model: nn.Module, batches: Batches, generator: torch.Generator, units: Units = CHANNELS
) -> Scores:
    """Euclidean norm of a filter's weights."""
    return {name: weight.flatten(1).norm(dim=1) for name, weight in filters(model, units).items()}


def fpgm(
    model: nn.Module, batches: Batches, generator: torch.Generator, units: Units = CHANNELS
) -> Scores:
    """Sum of Euclidean distances to the layer's other filters (FPGM, He et al. 2019, equation 4).

    The filters nearest the geometric median, which the others can replace, score lowest. Where one
    layer makes q, k and v, the rows of all three are compared.
    """
    import torch

    exact = "donot_use_mm_for_euclid_dist"
    return {
        name: torch.cdist(weight.flatten(1), weight.flatten(1), compute_mode=exact).sum(1)
        for name, weight in filters(model, units).items()
    }


def taylor(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    units: Units = CHANNELS,
    *,
    gate: Literal["filter", "batchnorm"] = "filter",
    momentum: Annotated[float, Ge(0), Lt(1)] | None = 0.9,
) -> Scores:
    """(gate * gradient)^2 of a gate of 1 on each channel (Molchanov et al. 2019, equation 8).

    On a filter: the squared sum of weight * gradient over it. On a BatchNorm: that over its scale
    and shift, by the BatchNorm's name. `momentum` averages exponentially over batches;
    None plainly.
    """
    sums = partial(_filter_sums, units=units) if gate == "filter" else _batchnorm_sums
    squares = (
        {name: value.square() for name, value in sums(model, terms).items()}
        for terms in products(model, batches)
    )
    return averaged(squares, momentum)


def hrank(
    model: nn.Module, batches: Batches, generator: torch.Generator, units: Units = CHANNELS
) -> Scores:
    """Average rank of each filter's feature maps over all images (HRank, Lin et al. 2020, eq. 3).

    The map is the ReLU of the convolution's output, after the BatchNorm that reads it, if any. For
    the last convolution of a residual block the authors' code takes the ReLU after the addition of
    the shortcut instead; here the filter is judged by what it computes itself. Linear layers have
    no feature maps.
    """
    return mean_ranks(model, batches)


def slimming(
    model: nn.Module, batches: Batches, generator: torch.Generator, units: Units = CHANNELS
) -> Scores:
    """Absolute scale of each BatchNorm, by its name (network slimming, Liu et al. 2017)."""
    return {name: scale.abs() for name, (scale, _) in batchnorms(model).items()}


def random(
    model: nn.Module, batches: Batches, generator: torch.Generator, units: Units = CHANNELS
) -> Scores:
    """Uniform noise: widths set by a ratio are those of any other criterion."""
    import torch

    return {
        name: torch.rand(len(weight), generator=generator)
        for name, weight in filters(model, units).items()
    }


def _filter_sums(model: nn.Module, terms: dict[str, Tensor], units: Units) -> Scores:
    names = weight_names(model, units)
    return {module: terms[name].flatten(1).sum(1) for module, name in names.items()}


def _batchnorm_sums(model: nn.Module, terms: dict[str, Tensor]) -> Scores:
    return {name: terms[f"{name}.weight"] + terms[f"{name}.bias"] for name in batchnorms(model)}


FILTER_CRITERIA: dict[str, Callable[..., Scores]] = {
    "l1": l1,
    "l2": l2,
    "fpgm": fpgm,
    "taylor": taylor,
    "hrank": hrank,
    "slimming": slimming,
    "random": random,
}
