"""Networks that are retrained one after another from one start, and averaged (Zimmer 2024, SMS)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from stages.images.prepared import Prepared
from stages.training.inference import accuracy
from stages.training.recalibration import recalibrated

SOUP = "soup/"
Member = Mapping[str, Tensor]


@dataclass(eq=False)
class Soup:
    """The members of a run, each of so many `epochs`, and their average in a `network`.

    Every member begins as the run did, at `start` (a `Run.state()`), and sees other epochs' images.
    Uniform: the mean of all. Greedy (Wortsman et al. 2022): the members in the order of their
    accuracy on the validation images, best first; one is added where the mean with it is no worse
    on them. Statistics of BatchNorm are means too, or those of the training images under the mean
    where they are to be re-estimated, also while greed decides. What is zero in all stays zero.
    """

    network: nn.Module
    epochs: int
    greedy: bool = False
    reestimated: bool = True
    start: Mapping[str, np.ndarray] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)

    def is_between(self, epoch: int) -> bool:
        """Whether a member ends with this epoch of the run, counted from 1."""
        return epoch > 0 and epoch % self.epochs == 0

    def add(self, trained: nn.Module) -> None:
        """Take a network in as a member."""
        state = trained.state_dict()
        self.members.append({name: tensor.detach().clone() for name, tensor in state.items()})

    def stir(self, data: Prepared, batch_size: int) -> None:
        """Give the network the average of the members so far."""
        if not self.greedy:
            self._take(self.members, data, batch_size)
            return
        alone = [self._judged([member], data, batch_size) for member in self.members]
        ranked = sorted(range(len(alone)), key=lambda i: -alone[i])
        chosen, best = [self.members[ranked[0]]], alone[ranked[0]]
        for i in ranked[1:]:
            more = [*chosen, self.members[i]]
            reached = self._judged(more, data, batch_size)
            if reached >= best:
                chosen, best = more, reached
        self._take(chosen, data, batch_size)

    def state(self) -> dict[str, Tensor]:
        """Return all that the soup needs to go on, but for its start."""
        return {
            f"{SOUP}{i:03}/{name}": tensor
            for i, member in enumerate(self.members)
            for name, tensor in member.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over a `state()`."""
        device = next(self.network.parameters()).device
        found: dict[str, dict[str, Tensor]] = {}
        for key, tensor in state.items():
            number, _, name = key.removeprefix(SOUP).partition("/")
            found.setdefault(number, {})[name] = tensor.to(device)
        self.members = [found[number] for number in sorted(found)]

    def _judged(self, members: Sequence[Member], data: Prepared, batch_size: int) -> float:
        self._take(members, data, batch_size)
        found = accuracy(self.network, data.validation, data, batch_size)
        return -1.0 if found is None else found

    def _take(self, members: Sequence[Member], data: Prepared, batch_size: int) -> None:
        self.network.load_state_dict(mean(members))
        if self.reestimated:
            anew = recalibrated(self.network, data, batch_size)
            self.network.load_state_dict(anew.state_dict())


def mean(members: Sequence[Member]) -> dict[str, Tensor]:
    """Return the mean of every tensor, rounded once; of whole numbers the first's."""
    return {
        name: torch.stack([each[name].double() for each in members]).mean(0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in members[0].items()
    }
