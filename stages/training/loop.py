"""The training loop: what an epoch is, and the run that dense training and retraining share."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.data.augment import Augmenter, normalise
from stages.data.images import ImageSet, Prepared
from stages.fault import Fault
from stages.metrics.accuracy import top1
from stages.params.recipe import Recipe
from stages.schedules.curve import Curve, steps_per_epoch
from stages.training.inference import logits
from stages.training.masks import check_masks
from stages.training.optimizer import SGD
from stages.training.order import epoch_tables, layer_seed

EVALUATION_BATCH = 512


@dataclass
class Run:
    """A training run at the end of epoch `epoch`; `advance` trains one more.

    `seed` and `stream` decide order, crops and flips. Masks [by parameter name, shaped like it]
    hold pruned weights at zero.
    """

    network: nn.Module
    optimizer: SGD
    data: Prepared
    recipe: Recipe
    curve: Curve
    seed: int
    stream: int
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    epoch: int = 0

    def __post_init__(self) -> None:
        """Check that the curve was drawn for this data."""
        steps = steps_per_epoch(len(self.data.train.labels), self.recipe.batch_size)
        if steps == 0 or steps != self.curve.steps_per_epoch:
            raise Fault(
                f"params.yaml: train.recipe.batch_size is {self.recipe.batch_size}; that makes "
                f"{steps} steps an epoch, the learning-rate curve has {self.curve.steps_per_epoch}"
            )
        check_optimizer(self.network, self.optimizer)
        self.augmenter = Augmenter(self.data.train.images, self.recipe.augment.pad)

    def advance(self) -> float:
        """Train one epoch; return the mean training loss over its images."""
        tables = epoch_tables(
            len(self.data.train.labels), self.recipe, self.seed, self.stream, self.epoch
        )
        torch.manual_seed(layer_seed(self.seed, self.stream, self.epoch))
        device = self.data.mean.device
        index, top, left = (t.to(device) for t in (tables.index, tables.top, tables.left))
        flip = None if tables.flip is None else tables.flip.to(device)
        labels = self.data.train.labels[index]
        first = self.epoch * self.curve.steps_per_epoch
        total = torch.zeros((), device=device)
        self.network.train()
        for step in range(self.curve.steps_per_epoch):
            images = self.augmenter.batch(
                index[step], top[step], left[step], None if flip is None else flip[step]
            )
            output = self.network(normalise(images, self.data.mean, self.data.std))
            loss = F.cross_entropy(
                output, labels[step], label_smoothing=self.recipe.label_smoothing
            )
            loss.backward()
            self.optimizer.step(
                float(self.curve.lr[first + step]), float(self.curve.momentum[first + step])
            )
            total += loss.detach()
        self.epoch += 1
        loss_mean = float(total) / self.curve.steps_per_epoch
        if not math.isfinite(loss_mean):
            raise Fault(
                f"training diverged: the loss of epoch {self.epoch} is {loss_mean}; "
                "lower the learning rate"
            )
        check_masks(dict(self.network.named_parameters()), self.masks)
        return loss_mean

    def accuracy(self, images: ImageSet) -> float | None:
        """Return the top-1 accuracy of the network as it is now; None for an empty set."""
        if not len(images.labels):
            return None
        data = self.data
        return top1(
            logits(self.network, images.images, data.mean, data.std, EVALUATION_BATCH),
            images.labels,
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the run needs to go on from here: weights, buffers and momentum."""
        tensors = {f"network/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"velocity/{k}": v for k, v in self.optimizer.velocity().items()}
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}

    def restore(self, arrays: Mapping[str, np.ndarray], epoch: int) -> None:
        """Go back to a `state()` taken at the end of epoch `epoch`."""
        network, velocity = split_state(arrays)
        self.network.load_state_dict(network)
        for name, buffer in self.optimizer.velocity().items():
            buffer.copy_(velocity[name])
        self.epoch = epoch


def split_state(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the network's tensors and the momentum buffers of a state."""
    parts: dict[str, dict[str, Any]] = {"network": {}, "velocity": {}}
    for name, array in arrays.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = torch.from_numpy(array)
    return parts["network"], parts["velocity"]


def check_optimizer(network: nn.Module, optimizer: SGD) -> None:
    """Raise a Fault that names the first layer whose parameter the optimizer does not hold.

    After surgery an optimizer may still hold the parameters from before: they would train and the
    network's would stand still.
    """
    held = {id(parameter) for parameter in optimizer.parameters}
    live = {name: p for name, p in network.named_parameters() if p.requires_grad}
    for name, parameter in live.items():
        if id(parameter) not in held:
            raise Fault(f"{name}: the optimizer does not hold this parameter of the network")
    if len(held) > len(live):
        raise Fault(f"the optimizer holds {len(held) - len(live)} parameters of no layer")
