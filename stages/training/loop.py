"""The training loop: what an epoch is, and the run that dense training and retraining share."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from stages.images.prepared import ImageSet, Prepared
from stages.pipeline.fault import Fault
from stages.replicates import ranks
from stages.replicates.seeds import stream_seed
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates, steps_per_epoch
from stages.training.divergence import Divergence
from stages.training.errors import explained
from stages.training.extras import PLAIN, Extras
from stages.training.graph import captured
from stages.training.inference import accuracy
from stages.training.lora import merged
from stages.training.masks import check_masks
from stages.training.optimizer import Optimizer
from stages.training.settings import Recipe
from stages.training.soup import SOUP, Soup
from stages.training.step import Step
from stages.training.tables import epoch_tables

NETWORK = "network/"
EVALUATION_BATCH = {"cpu": 128, "cuda": 512}
"""Images in one forward pass: those that a processor's caches hold, or that fill a GPU.

Of the history alone; compute.evaluation_batch_size is that of what is kept, and decides its bits.
"""


@dataclass
class Run:
    """A training run at the end of epoch `epoch`; `advance` trains one more.

    `seed` and `stream` decide the order and the augmentation of images. Masks [by parameter name,
    shaped like it] hold pruned weights at zero. `finite` says whether the loss of the last epoch,
    and the weights and statistics after it, are: there is no way back from where they are not.
    """

    network: nn.Module
    optimizer: Optimizer
    data: Prepared
    recipe: Recipe
    rates: Rates
    seed: int
    stream: int
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    compute: Compute = field(default_factory=Compute)
    extras: Extras = PLAIN
    epoch: int = 0
    finite: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        """Check that the rates were made for this data."""
        steps = steps_per_epoch(len(self.data.train.labels), self.recipe.batch_size)
        if steps == 0 or steps != self.rates.steps_per_epoch:
            raise Fault(
                f"params.yaml: train.recipe.batch_size is {self.recipe.batch_size}; that makes "
                f"{steps} steps an epoch, the learning-rate curve has {self.rates.steps_per_epoch}"
            )
        check_optimizer(self.network, self.optimizer)
        if self.extras.soup:
            self.extras.soup.start = self.state()

    def advance(self) -> float:
        """Train one epoch; return the mean training loss over its images.

        The first of a soup's next member begins where the run began.
        """
        if self.extras.soup and self.extras.soup.is_between(self.epoch):
            self._load(self.extras.soup.start)
        watched = self.watched
        shape = self.data.train.images.shape
        tables = epoch_tables(shape, self.recipe, self.seed, self.stream, self.epoch)
        ranks.copy_leader(self.step.state())  # BatchNorm's statistics, which differ, as on resuming
        share = tables.share(ranks.number(), ranks.devices())
        self.step.begin(share, self.rates, self.epoch)
        self.network.train()
        with explained():
            launch = self.launch
            seed = stream_seed(self.seed, self.stream, self.epoch)
            torch.manual_seed(seed + ranks.number())
            for step in range(self.rates.steps_per_epoch):
                self.step.feed(step)
                launch()
            ranks.average([self.step.total])
            loss = float(self.step.total) / self.rates.steps_per_epoch
        self.epoch += 1
        self.finite = math.isfinite(loss) and all(bool(t.isfinite().all()) for t in watched)
        if self.finite:
            check_masks(merged(self.network), self.masks)
            if self.extras.averaging:
                size = self.compute.evaluation_batch_size
                with explained("compute.evaluation_batch_size"):
                    self.extras.averaging.end_epoch(self.network, self.data, size)
            if self.extras.soup and self.extras.soup.is_between(self.epoch):
                self.extras.soup.add(self.trained)
                self._stir(self.extras.soup)
        return loss

    @property
    def trained(self) -> nn.Module:
        """The network that is trained, or the average of its weights."""
        averaging = self.extras.averaging
        return averaging.network if averaging else self.network

    @property
    def result(self) -> nn.Module:
        """The network that the run gives as it is now: where a member ended, the soup so far."""
        soup = self.extras.soup
        return soup.network if soup and soup.is_between(self.epoch) else self.trained

    def divergence(self, epoch: int, loss: float) -> Divergence:
        """Return that this run diverged in `epoch`, whose mean loss is `loss`."""
        steps = slice((epoch - 1) * self.rates.steps_per_epoch, epoch * self.rates.steps_per_epoch)
        largest = float(self.rates.lr[steps].max())
        return Divergence(epoch, largest, loss if math.isfinite(loss) else None)

    @cached_property
    def watched(self) -> list[Tensor]:
        """The weights, and the buffers that were finite before training: a mask may hold -inf."""
        buffers = [b for b in self.network.buffers() if bool(b.isfinite().all())]
        return [*self.network.parameters(), *buffers]

    @cached_property
    def step(self) -> Step:
        """The training step of this run."""
        parts = self.network, self.optimizer, self.data, self.recipe, self.compute
        return Step(*parts, self.extras)

    @cached_property
    def launch(self) -> Callable[[], None]:
        """What takes a step: on a single GPU the replay of its graph, elsewhere the step itself."""
        alone = ranks.devices() == 1  # a sum over GPUs in a graph is untested
        if self.step.device.type == "cuda" and self.compute.graph and alone:
            return captured(self.step, self.step.state(), self.step.device)
        return self.step

    def accuracy(self, images: ImageSet) -> float | None:
        """Return the top-1 accuracy of the result as it is now; None for an empty set."""
        with explained():
            batch_size = EVALUATION_BATCH[self.step.device.type]
            return accuracy(self.result, images, self.data, batch_size)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the run needs to go on: weights, buffers, the optimizer's state."""
        tensors = {f"{NETWORK}{k}": v for k, v in self.network.state_dict().items()}
        tensors |= self.optimizer.state()
        if self.extras.averaging:
            tensors |= self.extras.averaging.state()
        if self.extras.soup:
            tensors |= self.extras.soup.state()
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}

    def restore(self, arrays: Mapping[str, np.ndarray], epoch: int) -> None:
        """Go back to a `state()` taken at the end of epoch `epoch`."""
        others = self._load(arrays)
        self.epoch, soup = epoch, self.extras.soup
        if soup:
            soup.load(others)
            if soup.is_between(epoch):
                self._stir(soup)

    def _load(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """Take the weights, and the optimizer's state; return what belongs to a soup."""
        network, others = split_state(arrays)
        self.network.load_state_dict(network)
        if self.extras.averaging:
            others = self.extras.averaging.load(others)
        its = {name: tensor for name, tensor in others.items() if name.startswith(SOUP)}
        self.optimizer.load({name: t for name, t in others.items() if name not in its})
        return its

    def _stir(self, soup: Soup) -> None:
        if ranks.leads():
            with explained("compute.evaluation_batch_size"):
                soup.stir(self.data, self.compute.evaluation_batch_size)


def split_state(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the network's tensors by their own names, and the state of the optimizer."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    network = {name for name in tensors if name.startswith(NETWORK)}
    optimizer = {name: tensor for name, tensor in tensors.items() if name not in network}
    return {name.removeprefix(NETWORK): tensors[name] for name in network}, optimizer


def check_optimizer(network: nn.Module, optimizer: Optimizer) -> None:
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
