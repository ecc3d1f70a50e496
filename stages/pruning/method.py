"""What to prune and by which rule, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Granularity = Literal["filter", "weight"]
Scope = Literal["blocks", "all"]
Unit = Literal["channels", "neurons", "heads"]
Units = tuple[Unit, ...]
CHANNELS: Units = ("channels",)
UNITS: Units = ("channels", "neurons", "heads")


@dataclass(frozen=True)
class Allocation:
    """How much to prune where: a name of ALLOCATIONS and that function's own options.

    `of_dense`: what is removed is of the units before the first round, not of what is left.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    of_dense: bool = False


@dataclass(frozen=True)
class Method:
    """A pruning method: a criterion of CRITERIA with its options, and an allocation.

    Filters: `units` says of what: `channels` of convolutions, `neurons`, the hidden units of linear
    layers, `heads` of attentions. `scope` is `blocks`, units whose output stays inside a block (the
    first convolutions of PFEC, Li et al. 2017), or `all`, coupled ones too.
    Weights: `linear` also prunes linear layers beside convolutions; `iterations` > 1 prunes in
    that many steps of equal shrinkage, scoring again after each (Tanaka et al. 2020, section 6).
    """

    granularity: Granularity
    criterion: str
    allocation: Allocation
    options: Mapping[str, Any] = field(default_factory=dict)
    scope: Scope = "blocks"
    units: Units = CHANNELS
    linear: bool = False
    iterations: int = 1
