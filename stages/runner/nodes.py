"""What of a cluster's cores and GPUs is free, as its nodes come and go."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.pipeline.cores import WORKERS
from stages.pipeline.fault import Fault
from stages.runner.demands import Demand
from stages.runner.slots import DEVICES, THREADS, Lacking, Slot


@dataclass(frozen=True)
class Node:
    """The cores and GPUs of a machine of a cluster."""

    cores: int
    gpus: int


class Nodes:
    """The cores and GPUs of all nodes; `shares` stages compute on a GPU at once.

    A stage runs on one node, on the cores that it was given: only stages of one machine can share.
    """

    def __init__(
        self, nodes: Callable[[], Sequence[Node]], shares: int, replicates: int = 1
    ) -> None:
        """`nodes` returns those that there are now; a stage runs so many `replicates` at once."""
        self._nodes, self._shares, self._replicates = nodes, shares, replicates
        self._cores = self._gpus = self._most = 0

    def take(self, wanted: Demand) -> Slot | Lacking:
        """Return a slot that the nodes have room for together; a Slots.

        What no node has any more is waited for: a node that died may come back.
        """
        nodes = self._nodes()
        self._most = max([self._most, *(node.gpus for node in nodes)])
        gpus = wanted.gpus if self._most else 0
        if gpus > self._most:
            raise Fault(f"it asks for {gpus} GPUs; no node has more than {self._most}")
        room = largest(nodes, gpus)
        cores = room if wanted.alone else min(wanted.cores * self._replicates, room)
        if not room or self._cores + cores > sum(node.cores for node in nodes):
            return "cores"
        shares = gpus * self._shares if gpus > 1 else gpus
        if self._gpus + shares > sum(node.gpus for node in nodes) * self._shares:
            return "gpus"
        self._add(cores, shares)
        return Slot(cores, gpus, self._variables(wanted, cores), lambda: self._add(-cores, -shares))

    def relax(self) -> None:
        """Do nothing: no cores are kept for a stage that waits."""

    def _add(self, cores: int, shares: int) -> None:
        self._cores += cores
        self._gpus += shares

    def _variables(self, wanted: Demand, cores: int) -> dict[str, str]:
        variables = {WORKERS: f"{self._replicates}"}
        if THREADS not in os.environ:
            variables[THREADS] = f"{min(wanted.cores, cores)}"
        if self._most:
            variables[DEVICES] = ""  # until Ray says which
        return variables


def largest(nodes: Sequence[Node], gpus: int) -> int:
    """Return the cores of the largest node with so many GPUs, 0 where there is none."""
    return max((node.cores for node in nodes if node.gpus >= gpus), default=0)
