"""What a trainer of your own needs of afterprune: schedules, and the networks that it leaves.

Importing it loads torch, and neither DVC nor pandas nor matplotlib.
"""

from afterprune.networks import load
from afterprune.schedules import Schedule, dense_rates, schedule
from stages.pipeline.fault import Fault
from stages.schedules.adaptive import adaptive_scale

__all__ = ["Fault", "Schedule", "adaptive_scale", "dense_rates", "load", "schedule"]
