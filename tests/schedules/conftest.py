import numpy as np
import pytest

from stages.schedules.decays import cosine, step
from stages.schedules.dense import DenseRates

STEPS = 10  # steps per epoch in most tests


def recipe(curve, epochs, steps_per_epoch=STEPS, **options):
    total = epochs * steps_per_epoch
    reference = DenseRates.constant(0.1, 0.9, steps_per_epoch)
    lr = curve(total, steps_per_epoch, reference, **options)
    return DenseRates(lr, np.full(total, 0.9), steps_per_epoch)


@pytest.fixture(scope="session")
def cifar():
    return recipe(step, 160, milestones=(80, 120))


@pytest.fixture(scope="session")
def imagenet():
    return recipe(step, 90, milestones=(30, 60))


@pytest.fixture(scope="session")
def cosine_run():
    return recipe(cosine, 160)
