"""The optimizers that `train.recipe.optimizer` can name.

An optimizer is a rule `update(weights, gradients, slots, lr, momentum, decayed, *, its options)`.
It changes `weights` in place and may use `gradients` as scratch space, both lists of tensors.
`slots` are the lists of tensors that it keeps from step to step, by name. `lr` and `momentum` are
numbers or tensors of one number on the device, `decayed` the places of the weights that weight
decay is for. A new one is such a function in a file of this folder and a
line here. The files import torch only inside the rules, so that params.yaml is checked without it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stages.training.optimizers.adamw import adamw
from stages.training.optimizers.sgd import sgd


@dataclass(frozen=True)
class Rule:
    """An update, and what it keeps: a tensor like each parameter per slot, one number per count."""

    update: Callable[..., None]
    slots: tuple[str, ...]
    counts: tuple[str, ...] = ()


OPTIMIZERS: dict[str, Rule] = {
    "adamw": Rule(adamw, slots=("first_moment", "second_moment"), counts=("updates",)),
    "sgd": Rule(sgd, slots=("velocity",)),
}
