"""The section `prune`: pruning methods by name."""

from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import Field

from stages.params.names import Name
from stages.params.options import entry, options_of, union
from stages.params.section import Section
from stages.pruning.method import Allocation, Granularity, Method, Scope
from stages.pruning.registry import ALLOCATIONS, CRITERIA


class Entry(Section):
    """A pruning method: `granularity`, `criterion` with its options, `allocation` with its own."""

    allocation: Any

    def method(self) -> Method:
        """Return the method that this entry names."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        allocation = fields.pop("allocation")
        kind = Allocation(allocation.kind, options_of(allocation, "kind"))
        own = {name: fields.pop(name) for name in _shared(type(self)) if name in fields}
        return Method(allocation=kind, options=fields, **own)


class FilterEntry(Entry):
    """A method that removes filters."""

    granularity: Literal["filter"]
    scope: Scope = "blocks"


class WeightEntry(Entry):
    """A method that sets weights to zero."""

    granularity: Literal["weight"]
    linear: bool = False
    iterations: Annotated[int, Ge(1)] = 1


def _shared(kind: type[Entry]) -> set[str]:
    return {"criterion", *FilterEntry.model_fields, *WeightEntry.model_fields} - {"allocation"}


def _methods(granularity: Granularity, base: type[Entry]) -> Any:
    kinds = ALLOCATIONS[granularity]
    allocation = union([entry(name, kind, "kind") for name, kind in kinds.items()], "kind")
    fields = {"allocation": (allocation, ...)}
    criteria = CRITERIA[granularity].items()
    return union([entry(n, f, "criterion", base, fields) for n, f in criteria], "criterion")


METHOD: Any = Annotated[
    _methods("filter", FilterEntry) | _methods("weight", WeightEntry),
    Field(discriminator="granularity"),
]


class Calibration(Section):
    """The training images that data-driven criteria see, not augmented, in batches."""

    batches: Annotated[int, Ge(1)] = 8
    batch_size: Annotated[int, Ge(2)] = 64


class Prune(Section):
    """The headline method, the images that criteria see, and the methods by name."""

    method: str
    calibration: Calibration = Calibration()
    methods: Annotated[dict[Name, METHOD], Field(min_length=1)]
