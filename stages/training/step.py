"""One training step as a function of nothing but tensors on the device.

What chance and the curves decide in an epoch lies there as two tables, read at a counter that the
step itself moves on. So the same operations run on a CPU, on a GPU, and captured in a CUDA graph.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.data.augment import augment, normalise
from stages.data.images import Prepared
from stages.params.compute import Compute
from stages.params.recipe import Recipe
from stages.schedules.curve import Curve, steps_per_epoch
from stages.training.optimizer import SGD
from stages.training.order import Epoch
from stages.training.precision import autocast, memory_format


class Step:
    """The training step of a network: a batch, augmentation, forward, backward, update.

    `begin` lays an epoch's tables out; each call then takes the epoch's next step. Images that do
    not lie on the network's device are fed batch by batch: call `feed(step)` before each step.
    """

    index: Tensor

    def __init__(
        self, network: nn.Module, optimizer: SGD, data: Prepared, recipe: Recipe, compute: Compute
    ) -> None:
        self.network, self.optimizer, self.data = network, optimizer, data
        self.recipe, self.compute = recipe, compute
        self.device = data.mean.device
        steps = steps_per_epoch(len(data.train.labels), recipe.batch_size)
        shape = (steps, 4, recipe.batch_size)
        self.choices = torch.zeros(shape, dtype=torch.int64, device=self.device)
        self.rates = torch.zeros((steps, 2), device=self.device)
        self.counter = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.loss = torch.zeros((), device=self.device)
        images = data.train.images
        self.fed = images.device != self.device
        if self.fed:
            shape = (recipe.batch_size, *images.shape[1:])
            self.batch = torch.zeros(shape, dtype=torch.uint8, device=self.device)

    def begin(self, tables: Epoch, curve: Curve, epoch: int) -> None:
        """Take the tables of an epoch, counted from 0, and the curve's part of it."""
        flip = torch.zeros_like(tables.index) if tables.flip is None else tables.flip.long()
        self.index = tables.index
        self.choices.copy_(torch.stack([tables.index, tables.top, tables.left, flip], 1))
        part = slice(epoch * curve.steps_per_epoch, (epoch + 1) * curve.steps_per_epoch)
        self.rates[:, 0] = torch.from_numpy(curve.lr[part])
        self.rates[:, 1] = torch.from_numpy(curve.momentum[part])
        self.counter.zero_()
        self.loss.zero_()

    def feed(self, step: int) -> None:
        """Bring the images of a step of the epoch to the device, if they are not all there."""
        if self.fed:
            images = self.data.train.images.index_select(0, self.index[step])
            if self.device.type == "cuda":
                images = images.pin_memory()
            self.batch.copy_(images, non_blocking=True)

    def __call__(self) -> None:
        """Train on the next batch; its loss is added to `loss`."""
        index, top, left, flip = self.choices.index_select(0, self.counter)[0].unbind()
        lr, momentum = self.rates.index_select(0, self.counter)[0].unbind()
        images = self._augmented(index, top, left, flip)
        labels = self.data.train.labels.index_select(0, index)
        with autocast(self.device, self.compute):
            output = self.network(normalise(images, self.data.mean, self.data.std))
        loss = F.cross_entropy(output.float(), labels, label_smoothing=self.recipe.label_smoothing)
        loss.backward()
        self.optimizer.step(lr, momentum)
        self.loss += loss.detach()
        self.counter += 1

    def state(self) -> Iterator[Tensor]:
        """Yield every tensor that a step changes."""
        yield from self.network.parameters()
        yield from self.network.buffers()
        yield from self.optimizer.buffers
        yield self.counter
        yield self.loss

    def _augmented(self, index: Tensor, top: Tensor, left: Tensor, flip: Tensor) -> Tensor:
        images = self.batch if self.fed else self.data.train.images.index_select(0, index)
        flips = flip.bool() if self.recipe.augment.flip else None
        images = augment(images, self.recipe.augment.pad, top, left, flips)
        return images.contiguous(memory_format=memory_format(self.compute))
