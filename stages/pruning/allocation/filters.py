"""Filter allocations: how many filters each layer keeps.

Each is `(layers, measure, *, own options) -> {layer name: filters kept}`; every layer keeps at
least one. `measure(widths)` is the size of the network with such widths. Keyword-only parameters
are the allocation's options in params.yaml: a new allocation is one function here and one line of
FILTER_ALLOCATIONS.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MinLen

from stages.pipeline.fault import Fault
from stages.pruning.allocation.layer import Layer, Measure, Widths, keep, scores_of, skipped
from stages.pruning.allocation.plans import PLANS, PerStage, PlanName
from stages.pruning.allocation.ranking import top_of_all

Ratio = Annotated[float, Ge(0), Lt(1)]
Skip = tuple[int | str, ...]


def uniform(layers: Sequence[Layer], measure: Measure, *, ratio: Ratio, skip: Skip = ()) -> Widths:
    """Remove the same ratio of every layer's filters: int(C * (1 - ratio)) stay."""
    left = skipped(layers, skip)
    return {x.name: x.width if x.name in left else keep(x.width, ratio) for x in layers}


def per_stage(
    layers: Sequence[Layer],
    measure: Measure,
    *,
    ratios: Annotated[tuple[Ratio, ...], MinLen(1)],
    skip: Skip = (),
) -> Widths:
    """Remove a ratio per stage, but for the layers in `skip` (PFEC, Li et al. 2017, section 4)."""
    left = skipped(layers, skip)
    stages = 1 + max(layer.stage for layer in layers)
    if len(ratios) != stages:
        raise Fault(f"allocation.ratios: {len(ratios)} ratios; the network has {stages} stages")
    return {x.name: x.width if x.name in left else keep(x.width, ratios[x.stage]) for x in layers}


def widths(
    layers: Sequence[Layer], measure: Measure, *, widths: tuple[int, ...] | dict[str, int]
) -> Widths:
    """Keep the listed numbers of filters: one per layer in order, or by name (others stay)."""
    given = _named(layers, widths)
    for layer in layers:
        if not 1 <= given.get(layer.name, 1) <= layer.width:
            raise Fault(
                f"allocation.widths: {layer.name} has {layer.width} filters, "
                f"it cannot keep {given[layer.name]}"
            )
    return {layer.name: given.get(layer.name, layer.width) for layer in layers}


def plan(layers: Sequence[Layer], measure: Measure, *, name: PlanName) -> Widths:
    """Apply a published plan (Li et al. 2017; Le & Hua 2021, appendix)."""
    chosen = PLANS[name]
    planned = chosen.layers if isinstance(chosen, PerStage) else len(chosen.widths)
    if len(layers) != planned:
        raise Fault(
            f"allocation.name: {name} is for a network of {planned} prunable convolutions, "
            f"this one has {len(layers)}"
        )
    if isinstance(chosen, PerStage):
        return per_stage(layers, measure, ratios=chosen.ratios, skip=chosen.skip)
    return widths(layers, measure, widths=chosen.widths)


def overall(
    layers: Sequence[Layer],
    measure: Measure,
    *,
    ratio: Ratio,
    minimum: Annotated[int, Ge(1)] = 1,
    normalise: bool = False,
) -> Widths:
    """Remove a ratio of all filters by one threshold; each layer keeps at least `minimum`.

    `normalise` divides scores by their layer's mean first, so that layers can be compared.
    """
    total = sum(layer.width for layer in layers)
    return _overall(layers, total - round(total * ratio), minimum, normalise)


def target(
    layers: Sequence[Layer],
    measure: Measure,
    *,
    parameters: Annotated[float, Gt(0)] | None = None,
    macs: Annotated[float, Gt(0)] | None = None,
    by: Literal["uniform", "global"] = "uniform",
    minimum: Annotated[int, Ge(1)] = 1,
    normalise: bool = False,
) -> Widths:
    """Keep the largest network with at most that many parameters or MACs.

    A target up to 1 is a fraction of the dense network's. Found by bisection over the ratio of
    `uniform` or of the global threshold.
    """
    goals = {"parameters": parameters, "macs": macs}
    given = [(quantity, aim) for quantity, aim in goals.items() if aim is not None]
    if len(given) != 1:
        raise Fault("allocation: a target is either `parameters` or `macs`")
    quantity, aim = given[0]
    total = sum(layer.width for layer in layers)
    least = sum(min(minimum, layer.width) for layer in layers)

    def at(ratio: float) -> Widths:
        if by == "uniform":
            return {x.name: max(min(minimum, x.width), keep(x.width, ratio)) for x in layers}
        return _overall(layers, max(least, total - round(total * ratio)), minimum, normalise)

    def size(ratio: float) -> int:
        return int(getattr(measure(at(ratio)), quantity))

    goal = aim * size(0) if aim <= 1 else aim
    if size(1) > goal:
        raise Fault(f"allocation.{quantity}: {aim:g}; the smallest network has {size(1)}")
    return at(_smallest(lambda ratio: size(ratio) <= goal))


def _overall(layers: Sequence[Layer], count: int, minimum: int, normalise: bool) -> Widths:
    scores = {layer.name: scores_of(layer) for layer in layers}
    if normalise:
        scores = {name: values / (values.mean() or 1) for name, values in scores.items()}
    masks = top_of_all(scores, count, minimum)
    return {name: int(mask.sum()) for name, mask in masks.items()}


def _smallest(holds: Callable[[float], bool]) -> float:
    """Return the smallest number in [0, 1] that a monotone condition holds for; it does for 1."""
    low, high = 0.0, 1.0
    if holds(low):
        return low
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _named(layers: Sequence[Layer], widths: Sequence[int] | Mapping[str, int]) -> dict[str, int]:
    names = [layer.name for layer in layers]
    if isinstance(widths, Mapping):
        for name in widths.keys() - set(names):
            raise Fault(
                f"allocation.widths: {name} is no prunable layer; allowed: {', '.join(names)}"
            )
        return dict(widths)
    if len(widths) != len(names):
        raise Fault(f"allocation.widths: {len(widths)} widths; the network has {len(names)} layers")
    return dict(zip(names, widths, strict=True))


FILTER_ALLOCATIONS: dict[str, Callable[..., Widths]] = {
    "uniform": uniform,
    "per_stage": per_stage,
    "global": overall,
    "widths": widths,
    "plan": plan,
    "target": target,
}
