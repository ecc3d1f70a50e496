"""The contender that does nothing but compute: the bare step on one fixed batch."""

from collections.abc import Callable

import torch
from torch import Tensor

from stages.networks.building import build
from stages.schedules.rates import steps_per_epoch
from tests.benchmarks import torchs
from tests.benchmarks.setting import Device, Setting
from tests.benchmarks.workload import EVALUATION_BATCH, LR, Workload

WARM_UP = 3


class Ceiling:
    """Forward, loss, backward and torch's optimizer step of a float batch that is in place.

    One thread. It takes as many steps and forwards nothing but the images that the others do.
    """

    def __init__(self, workload: Workload, setting: Setting, device: Device) -> None:
        torch.set_num_threads(1)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False
        self.device, self.setting = torch.device(device), setting
        self.data, self.recipe, self.epochs = workload.data, workload.recipe, workload.epochs
        network = build(workload.spec, 0).to(self.device)
        self.network = network.to(memory_format=setting.memory_format)
        self.optimizer = torchs.optimizer(self.network, self.recipe, LR)
        self.loss = torchs.loss(self.recipe)
        self.images = self._noise(self.recipe.batch_size)
        self.labels = torch.arange(self.recipe.batch_size, device=self.device) % self.data.classes
        self.unseen = self._noise(EVALUATION_BATCH)
        self.step = captured(self._step) if setting.graph else self._step

    def epoch(self) -> int:
        """Take the steps of an epoch; return the number of images."""
        self.network.train()
        steps = steps_per_epoch(len(self.data.train.labels), self.recipe.batch_size)
        for _ in range(steps):
            self.step()
        return steps * self.recipe.batch_size

    def evaluation(self) -> int:
        """Forward as many images as the test set has; return their number."""
        return self._forward(len(self.data.test.labels))

    def arm(self) -> int:
        """Take the steps and forwards of an arm; return the number of images."""
        parts = (self.data.validation, self.data.test)
        return sum(
            self.epoch() + sum(self._forward(len(part.labels)) for part in parts)
            for _ in range(self.epochs)
        )

    def _step(self) -> None:
        self.optimizer.zero_grad()
        with self.setting.autocast(self.device):
            output = self.network(self.images)
        self.loss(output.float(), self.labels).backward()
        self.optimizer.step()

    @torch.no_grad()
    def _forward(self, count: int) -> int:
        self.network.eval()
        for start in range(0, count, EVALUATION_BATCH):
            self.network(self.unseen[: count - start])
        return count

    def _noise(self, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        images = torch.randn((count, *self.data.shape), generator=generator).to(self.device)
        return images.contiguous(memory_format=self.setting.memory_format)


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """Return the replay of a step as one CUDA graph."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
