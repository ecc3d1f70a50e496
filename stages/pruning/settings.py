"""The section `prune`: pruning methods by name."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, options_of, union
from stages.pipeline.section import Name, Section
from stages.pruning.method import CHANNELS, Allocation, Granularity, Method, Scope, Unit
from stages.pruning.registry import ALLOCATIONS, CRITERIA
from stages.pruning.rounds import Cubic, Rounds, number_of, removed, shares

ONCE = frozenset({"n_m", "plan", "target", "widths"})
"""Allocations that ask for a size, which the first round reaches."""


def _distinct(values: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """Return values; a ValueError where there is none, or one is there twice."""
    if not values or len(set(values)) < len(values):
        raise ValueError("it should hold one value or more, each once")
    return values


class Entry(Section):
    """A pruning method: a criterion with its options beside it, an allocation with its own."""

    allocation: Any

    def method(self) -> Method:
        """Return the method that this entry names."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        fields.pop("rounds", None)
        allocation = fields.pop("allocation")
        kind = Allocation(allocation.kind, options_of(allocation, "kind"))
        own = {name: fields.pop(name) for name in _shared() if name in fields}
        return Method(allocation=kind, options=fields, **own)


class FilterEntry(Entry):
    """A method that removes filters, or the units of other layers that it names."""

    granularity: Literal["filter"]
    scope: Scope = "blocks"
    units: Annotated[tuple[Unit, ...], AfterValidator(_distinct)] = CHANNELS


class WeightEntry(Entry):
    """A method that sets weights to zero."""

    granularity: Literal["weight"]
    linear: bool = False
    iterations: Annotated[int, Ge(1), Le(1000)] = 1


class Iterative(Entry):
    """A method that prunes in rounds, with retraining after each.

    `rounds` is their number, each with the entry's own allocation, or a list of ratios (filters) or
    sparsities (weights), one a round. They are of what the round before left: a sparsity of 0.3
    in k rounds removes 1 - 0.7^k of all weights. With a `Cubic` the allocation's is what is gone in
    the end.
    """

    rounds: Rounds

    @property
    def number(self) -> int:
        """Return the number of rounds."""
        return number_of(self.rounds)

    def methods(self) -> list[Method]:
        """Return the method of every round: sparsities of all weights, ratios of what is left.

        Those of a `Cubic` are of the units before the first round.
        """
        method = self.method()
        given = method.allocation
        amount = "ratio" if method.granularity == "filter" else "sparsity"
        if self.rounds != 1 and given.kind in ONCE:
            raise Fault(f"rounds: allocation {given.kind!r} removes nothing after round 1")
        if isinstance(self.rounds, int) and amount not in given.options:
            return [method] * self.rounds
        if amount not in given.options:
            form = "cubic" if isinstance(self.rounds, Cubic) else "a list"
            raise Fault(f"rounds: {form} needs an allocation with a {amount}, not {given.kind!r}")
        if of_dense := method.granularity == "weight" or isinstance(self.rounds, Cubic):
            amounts = removed(self.rounds, given.options[amount])
        else:
            amounts = shares(self.rounds, given.options[amount])
        options = [{**given.options, amount: each} for each in amounts]
        return [replace(method, allocation=Allocation(given.kind, o, of_dense)) for o in options]


class IterativeFilterEntry(FilterEntry, Iterative):
    """A method that removes filters in rounds."""


class IterativeWeightEntry(WeightEntry, Iterative):
    """A method that sets weights to zero in rounds."""


def _shared() -> set[str]:
    """Return the keys of an entry that are no options of its criterion."""
    return {"criterion", *FilterEntry.model_fields, *WeightEntry.model_fields} - {"allocation"}


def _methods(granularity: Granularity, base: type[Entry]) -> Any:
    kinds = ALLOCATIONS[granularity]
    allocation = union([entry(name, kind, "kind") for name, kind in kinds.items()], "kind")
    fields = {"allocation": (allocation, ...)}
    criteria = CRITERIA[granularity].items()
    return union([entry(n, f, "criterion", base, fields) for n, f in criteria], "criterion")


def _union(filters: type[Entry], weights: type[Entry]) -> Any:
    kinds = _methods("filter", filters) | _methods("weight", weights)
    return Annotated[kinds, Field(discriminator="granularity")]


METHOD: Any = _union(FilterEntry, WeightEntry)
ITERATIVE: Any = _union(IterativeFilterEntry, IterativeWeightEntry)
METHODS: Any = Annotated[dict[Name, METHOD], Field(min_length=1)]
ITERATIVES: Any = dict[Name, ITERATIVE]


class Calibration(Section):
    """The training images that data-driven criteria see, not augmented, in batches."""

    batches: Annotated[int, Ge(1)] = 8
    batch_size: Annotated[int, Ge(2)] = 64


class Prune(Section):
    """The headline method, the images that criteria see, and the methods by name.

    `methods` prune once, `iterative` in rounds.
    """

    method: str
    calibration: Calibration = Calibration()
    iterative: ITERATIVES = Field(default_factory=dict)
    methods: METHODS
