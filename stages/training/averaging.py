"""The average of a run's weights, kept beside them, as a network of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.images.prepared import Prepared
from stages.schedules.rates import Values
from stages.training.lora import merged
from stages.training.recalibration import recalibrated

AVERAGE = "average/"


@dataclass(frozen=True, eq=False)
class Averaging:
    """A network that holds the average of another one's weights.

    `coefficients` [steps of the run] say how far each step moves it towards the weights; 1 sets it
    to them. Its statistics of BatchNorm are the trained network's, or those of the training images
    under the average where they are to be re-estimated. What is zero in all weights stays zero.
    """

    network: nn.Module
    coefficients: Values
    reestimated: bool = False

    @torch.no_grad()
    def update(self, trained: nn.Module, coefficient: Tensor) -> None:
        """Move the average towards a network's weights by a coefficient, a tensor of one number.

        Adapters are merged into them. A weight that stands still, a frozen one say, is its own
        average to the bit.
        """
        average, its = self.weights(), merged(trained)
        weights = [its[name] for name, _ in self.network.named_parameters()]
        torch._foreach_lerp_(average, weights, [coefficient] * len(average))

    def weights(self) -> list[Tensor]:
        """Return the tensors that a step changes."""
        return [parameter.detach() for parameter in self.network.parameters()]

    @torch.no_grad()
    def end_epoch(self, trained: nn.Module, data: Prepared, batch_size: int) -> None:
        """Bring the network's statistics to where its weights are."""
        for own, its in zip(self.network.buffers(), trained.buffers(), strict=True):
            own.copy_(its)
        if self.reestimated:
            anew = recalibrated(self.network, data, batch_size)
            self.network.load_state_dict(anew.state_dict())

    def state(self) -> dict[str, Tensor]:
        """Return all that the average needs to go on."""
        return {f"{AVERAGE}{name}": tensor for name, tensor in self.network.state_dict().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take a `state()` from among other tensors; return the others."""
        own = {name for name in tensors if name.startswith(AVERAGE)}
        self.network.load_state_dict({n.removeprefix(AVERAGE): tensors[n] for n in own})
        return {name: tensor for name, tensor in tensors.items() if name not in own}
