"""One training step as a function of nothing but tensors on the device.

What chance and the curves decide in an epoch is there in tables, read at a counter that the step
itself moves on: a step captured in a CUDA graph repeats the same operations, so what differs from
step to step must be data on the device. The step runs alike on a CPU, on a GPU, and captured.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from stages.images.normalise import normalise
from stages.images.prepared import Prepared
from stages.pipeline.options import options_of
from stages.replicates.precision import autocast, memory_format
from stages.replicates.ranks import devices
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates, steps_per_epoch
from stages.training.extras import PLAIN, Extras
from stages.training.losses import LOSSES
from stages.training.optimizer import Optimizer
from stages.training.settings import Recipe
from stages.training.sharpness import worst_nearby
from stages.training.tables import Tables


class Step:
    """The training step of a network: a batch, augmentation, forward, backward, update.

    `begin` takes an epoch's tables; each call then takes the epoch's next step. Images that are not
    on the network's device are fed batch by batch: call `feed(step)` before each step.
    """

    order: Tensor

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        data: Prepared,
        recipe: Recipe,
        compute: Compute,
        extras: Extras = PLAIN,
    ) -> None:
        self.network, self.optimizer, self.data = network, optimizer, data
        self.compute, self.device, self.extras = compute, data.mean.device, extras
        self.augmentations = recipe.augment.used()
        self.loss = partial(LOSSES[recipe.loss.kind], **options_of(recipe.loss, "kind"))
        steps = steps_per_epoch(len(data.train.labels), recipe.batch_size)
        self.tables: list[Tensor] = []
        self.rates = torch.zeros((steps, 3), device=self.device)
        self.counter = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.total = torch.zeros((), device=self.device)
        images = data.train.images
        self.fed = images.device != self.device
        if self.fed:
            shape = (recipe.batch_size // devices(), *images.shape[1:])
            self.batch = torch.zeros(shape, dtype=torch.uint8, device=self.device)

    def begin(self, tables: Tables, rates: Rates, epoch: int) -> None:
        """Take the tables of an epoch, counted from 0, and its part of the rates."""
        self.order = tables.images
        drawn = [tables.images, *tables.augmentations]
        if not self.tables:  # later epochs are written to the same places: a graph knows them
            self.tables = [torch.zeros(t.shape, dtype=t.dtype, device=self.device) for t in drawn]
        for table, values in zip(self.tables, drawn, strict=True):
            table.copy_(values)
        part = slice(epoch * rates.steps_per_epoch, (epoch + 1) * rates.steps_per_epoch)
        self.rates[:, 0] = torch.from_numpy(rates.lr[part])
        self.rates[:, 1] = torch.from_numpy(rates.momentum[part])
        if self.extras.averaging:
            self.rates[:, 2] = torch.from_numpy(self.extras.averaging.coefficients[part])
        self.counter.zero_()
        self.total.zero_()

    def feed(self, step: int) -> None:
        """Bring the images of a step of the epoch to the device, if they are not all there."""
        if self.fed:
            images = self.data.train.images.index_select(0, self.order[step])
            if self.device.type == "cuda":
                images = images.pin_memory()
            self.batch.copy_(images, non_blocking=True)

    def __call__(self) -> None:
        """Train on the next batch; its loss is added to `total`."""
        index, *choices = (self._row(table) for table in self.tables)
        lr, momentum, coefficient = self._row(self.rates)
        images = self._augmented(index, choices)
        labels = self.data.train.labels.index_select(0, index)
        images = normalise(images, self.data.mean, self.data.std)
        loss = self._loss(images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.extras.rho:
            with worst_nearby(self.network, self.optimizer, self.extras.rho):
                self._loss(images, labels).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(lr, momentum)
        if self.extras.averaging:
            self.extras.averaging.update(self.network, coefficient)
        self.total += loss.detach()
        self.counter += 1

    def state(self) -> Iterator[Tensor]:
        """Yield every tensor that a step changes."""
        yield from self.network.parameters()
        yield from self.network.buffers()
        yield from self.optimizer.buffers()
        if self.extras.averaging:
            yield from self.extras.averaging.weights()
        yield self.counter
        yield self.total

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        with autocast(self.device, self.compute):
            output = self.network(images)
        loss: Tensor = self.loss(output.float(), labels)
        teacher = self.extras.teacher
        if teacher is None:
            return loss
        with autocast(self.device, self.compute):
            told = teacher.logits(images)
        return teacher.loss(loss, output.float(), told.float())

    def _row(self, table: Tensor) -> Tensor:
        return table.index_select(0, self.counter)[0]

    def _augmented(self, index: Tensor, choices: list[Tensor]) -> Tensor:
        images = self.batch if self.fed else self.data.train.images.index_select(0, index)
        for augmentation, row in zip(self.augmentations, choices, strict=True):
            images = augmentation.apply(images, row)
        return images.contiguous(memory_format=memory_format(self.compute))
