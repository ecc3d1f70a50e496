"""What a stage asks for: the key `run` of its `meta` in dvc.yaml, which DVC leaves to others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from stages.pipeline.fault import Fault

KEY = "run"
ALLOWED = (
    "cores (1 or more) and gpus (0 or more), each a whole number, a key of params.yaml that holds "
    "one, or a list of these to multiply, and alone (true or false)"
)
Lookup = Callable[[str], Any]


@dataclass(frozen=True)
class Demand:
    """What a stage needs: cores, GPUs (of those there are to share), or to run `alone`."""

    cores: int = 1
    gpus: int = 1
    alone: bool = False


def demand(name: str, meta: Any, lookup: Lookup) -> Demand:
    """Return what a stage asks for; `lookup` returns what a key of params.yaml holds, or None.

    A key that is not there counts as 1. A Fault for what cannot be read.
    """
    asked = meta.get(KEY, {}) if isinstance(meta, Mapping) else {}
    if not isinstance(asked, Mapping) or asked.keys() - {"cores", "gpus", "alone"}:
        raise Fault(f"dvc.yaml: {name}: meta.{KEY} is {asked!r}; it may have {ALLOWED}")
    alone = asked.get("alone", False)
    if not isinstance(alone, bool):
        raise Fault(f"dvc.yaml: {name}: meta.{KEY}.alone is {alone!r}; it should be true or false")
    cores, gpus = (
        _product(f"dvc.yaml: {name}: meta.{KEY}.{key}", asked.get(key, 1), least, lookup)
        for key, least in (("cores", 1), ("gpus", 0))
    )
    return Demand(cores, gpus, alone)


def _product(where: str, value: Any, least: int, lookup: Lookup) -> int:
    factors = value if isinstance(value, list) else [value]
    return prod(_whole(where, factor, least, lookup) for factor in factors)


def _whole(where: str, value: Any, least: int, lookup: Lookup) -> int:
    if isinstance(value, str):
        where, found = f"params.yaml: {value}", lookup(value)
        value = 1 if found is None else found
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Fault(f"{where} is {value!r}; it should be a whole number, {least} or more")
    return value
