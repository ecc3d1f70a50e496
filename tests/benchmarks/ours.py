"""The contender that is this project: one process, one thread."""

from contextlib import redirect_stderr
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stages.networks.building import build
from stages.replicates.environment import activate
from stages.replicates.precision import placed
from stages.replicates.seeds import RETRAIN
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates, steps_per_epoch
from stages.training.fit import fit
from stages.training.loop import Run
from stages.training.optimizer import Optimizer
from tests.benchmarks.setting import Device, Setting
from tests.benchmarks.workload import LR, Workload


def begin(workload: Workload, setting: Setting, device: Device) -> Run:
    """Return a run of `workload.epochs` epochs at epoch 0, at a constant learning rate."""
    compute = Compute(device=device, threads=1, **asdict(setting))
    where = activate(compute)
    data, recipe = workload.data.to(where), workload.recipe
    network = placed(build(workload.spec, 0), where, compute)
    optimizer = Optimizer(network, recipe.optimizer)
    steps = steps_per_epoch(len(data.train.labels), recipe.batch_size)
    lr = np.full(workload.epochs * steps, LR)
    rates = Rates(lr, np.full_like(lr, recipe.optimizer.momentum), steps)
    return Run(network, optimizer, data, recipe, rates, 0, RETRAIN, compute=compute)


class Ours:
    """A run that each call takes back to its beginning."""

    def __init__(self, workload: Workload, setting: Setting, device: Device) -> None:
        self.run = begin(workload, setting, device)

    def epoch(self) -> int:
        """Train an epoch; return the number of images."""
        self.run.epoch = 0
        self.run.advance()
        return self.run.rates.steps_per_epoch * self.run.recipe.batch_size

    def evaluation(self) -> int:
        """Take the accuracy on the test images; return their number."""
        self.run.accuracy(self.run.data.test)
        return len(self.run.data.test.labels)

    def arm(self) -> int:
        """Train all epochs and evaluate after each; return the number of images."""
        self.run.epoch = 0
        with TemporaryDirectory() as folder, redirect_stderr(StringIO()):  # no progress bar
            fit(self.run, Path(folder), "arm", 0)
        data, rates = self.run.data, self.run.rates
        trained = rates.steps_per_epoch * self.run.recipe.batch_size
        return rates.epochs * (trained + len(data.validation.labels) + len(data.test.labels))
