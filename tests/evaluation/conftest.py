"""The images that runs are tested with."""

from tests.training.conftest import data, image_set, one_thread

__all__ = ["data", "image_set", "one_thread"]
