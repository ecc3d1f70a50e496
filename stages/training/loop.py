"""The training loop: what an epoch is, and the run that dense training and retraining share."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.data.images import ImageSet, Prepared
from stages.fault import Fault
from stages.metrics.accuracy import top1
from stages.params.compute import Compute
from stages.params.recipe import Recipe
from stages.schedules.curve import Curve, steps_per_epoch
from stages.training.graph import UNREPEATABLE, captured
from stages.training.inference import logits
from stages.training.masks import check_masks
from stages.training.optimizer import SGD
from stages.training.order import epoch_tables, layer_seed
from stages.training.step import Step

EVALUATION_BATCH = {"cpu": 128, "cuda": 512}
"""Images in one forward pass: those that a processor's caches hold, or that fill a GPU."""


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
    compute: Compute = field(default_factory=Compute)
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

    def advance(self) -> float:
        """Train one epoch; return the mean training loss over its images."""
        images = len(self.data.train.labels)
        tables = epoch_tables(images, self.recipe, self.seed, self.stream, self.epoch)
        self.step.begin(tables, self.curve, self.epoch)
        self.network.train()
        with explained():
            launch = self.launch
            torch.manual_seed(layer_seed(self.seed, self.stream, self.epoch))
            for step in range(self.curve.steps_per_epoch):
                self.step.feed(step)
                launch()
            loss = float(self.step.loss) / self.curve.steps_per_epoch
        self.epoch += 1
        if not math.isfinite(loss):
            raise Fault(
                f"training diverged: the loss of epoch {self.epoch} is {loss}; "
                "lower the learning rate"
            )
        check_masks(dict(self.network.named_parameters()), self.masks)
        return loss

    @cached_property
    def step(self) -> Step:
        """The training step of this run."""
        return Step(self.network, self.optimizer, self.data, self.recipe, self.compute)

    @cached_property
    def launch(self) -> Callable[[], None]:
        """What takes a step: on a GPU the replay of its graph, elsewhere the step itself."""
        if self.step.device.type == "cuda" and self.compute.graph:
            return captured(self.step, self.step.state(), self.step.device)
        return self.step

    def accuracy(self, images: ImageSet) -> float | None:
        """Return the top-1 accuracy of the network as it is now; None for an empty set."""
        if not len(images.labels):
            return None
        data, batch_size = self.data, EVALUATION_BATCH[self.step.device.type]
        with explained():
            out = logits(self.network, images.images, data.mean, data.std, batch_size)
            return top1(out, images.labels)

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


@contextmanager
def explained() -> Iterator[None]:
    """Turn what torch says of memory and of determinism into a Fault that names the key."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        size = re.search(r"Tried to allocate ([\d.]+ \w+)", str(error))
        raise Fault(
            f"the GPU's memory is full{f', {size[1]} more did not fit' if size else ''}; set "
            "AFTERPRUNE_WORKERS to fewer replicates at a time, or lower train.recipe.batch_size"
        ) from None
    except RuntimeError as error:
        operation, apart, _ = str(error).partition(UNREPEATABLE)
        if not apart:
            raise
        raise Fault(
            f"params.yaml: compute.deterministic is true; {operation} does not repeat to the bit, "
            "only false allows it"
        ) from None


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
