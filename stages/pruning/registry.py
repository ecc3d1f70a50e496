"""All criteria and allocations, by granularity and by the name in params.yaml; imports no torch."""

from collections.abc import Callable, Mapping
from typing import Any

from stages.pipeline.fault import Fault
from stages.pruning.allocation.filters import FILTER_ALLOCATIONS
from stages.pruning.allocation.weights import WEIGHT_ALLOCATIONS
from stages.pruning.criteria.filters import FILTER_CRITERIA
from stages.pruning.criteria.weights import WEIGHT_CRITERIA
from stages.pruning.method import Granularity

Registry = Mapping[Granularity, Mapping[str, Callable[..., Any]]]

CRITERIA: Registry = {"filter": FILTER_CRITERIA, "weight": WEIGHT_CRITERIA}
ALLOCATIONS: Registry = {"filter": FILTER_ALLOCATIONS, "weight": WEIGHT_ALLOCATIONS}


def find(registry: Registry, granularity: Granularity, name: str, key: str) -> Callable[..., Any]:
    """Return the function; a Fault that names `key` and what is allowed."""
    known = registry[granularity]
    if name not in known:
        allowed = ", ".join(known)
        raise Fault(f"{key}: {name!r} is unknown for granularity {granularity}; allowed: {allowed}")
    return known[name]
