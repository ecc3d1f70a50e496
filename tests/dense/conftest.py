"""The images, recipe and rates that runs are tested with."""

from tests.training.conftest import (
    data,
    image_set,
    on_ranks,
    one_thread,
    rates,
    recipe,
    same,
    snapshot,
)

__all__ = ["data", "image_set", "on_ranks", "one_thread", "rates", "recipe", "same", "snapshot"]
