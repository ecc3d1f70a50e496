"""How much a pruning method may remove: the ratios or sparsities that leave different networks."""

from collections.abc import Sequence

from torch import nn

from stages.pipeline.fault import Fault
from stages.pruning.settings import Entry
from stages.pruning.structured import structure, widths_of

AMOUNTS = ("ratio", "sparsity")


def amount_of(entry: Entry) -> str | None:
    """Return the option of its allocation that says how much a method removes; None without one."""
    options = entry.method().allocation.options
    return next((name for name in AMOUNTS if name in options), None)


def with_amount(entry: Entry, amount: float) -> Entry:
    """Return a method that removes another amount."""
    changed = entry.allocation.model_copy(update={amount_of(entry): amount})
    return entry.model_copy(update={"allocation": changed})


def amounts(network: nn.Module, entry: Entry, shape: Sequence[int], step: float) -> list[float]:
    """Return the multiples of `step` below 1, the smallest first, each of another network.

    Of those that leave every layer of a network with as many filters the smallest stands for all,
    and none that leaves all filters. Where widths depend on scores, or weights are pruned, all
    count.
    """
    grid = [round(i * step, 10) for i in range(int(1 / step) + 1) if i * step < 1 - 1e-9]
    method = entry.method()
    if method.granularity == "weight":
        return grid[1:]
    found = structure(network, shape, method.scope, method.units)
    kept: dict[tuple[int, ...], float] = {}
    try:
        for amount in grid:
            widths = widths_of(found, with_amount(entry, amount).method(), None)
            kept.setdefault(tuple(widths.values()), amount)
    except Fault:
        return grid[1:]
    return [amount for amount in kept.values() if amount]
