"""What to prune and by which rule, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Granularity = Literal["filter", "weight"]
Scope = Literal["blocks", "all"]


@dataclass(frozen=True)
class Allocation:
    """How much to prune where: a name of ALLOCATIONS and that function's own options."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A pruning method: a criterion of CRITERIA with its options, and an allocation.

    Filters: `scope` is `blocks`, convolutions whose output stays inside a block (the first
    convolutions of PFEC, Li et al. 2017), or `all`, coupled channels too.
    Weights: `linear` also prunes linear layers beside convolutions; `iterations` > 1 prunes in
    that many steps of equal shrinkage, scoring again after each (Tanaka et al. 2020, section 6).
    """

    granularity: Granularity
    criterion: str
    allocation: Allocation
    options: Mapping[str, Any] = field(default_factory=dict)
    scope: Scope = "blocks"
    linear: bool = False
    iterations: int = 1
