"""What a program of your own needs of afterprune: schedules, networks, and the table of results.

A name is imported when it is first used: `results` loads pandas alone; schedules and networks load
torch, and neither DVC nor pandas nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afterprune.networks import load
    from afterprune.schedules import Schedule, dense_rates, schedule
    from afterprune.table import results
    from stages.pipeline.fault import Fault
    from stages.schedules.adaptive import adaptive_scale

__all__ = ["Fault", "Schedule", "adaptive_scale", "dense_rates", "load", "results", "schedule"]

HOMES = {
    "Fault": "stages.pipeline.fault",
    "Schedule": "afterprune.schedules",
    "adaptive_scale": "stages.schedules.adaptive",
    "dense_rates": "afterprune.schedules",
    "load": "afterprune.networks",
    "results": "afterprune.table",
    "schedule": "afterprune.schedules",
}
"""The module that defines each name."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
