"""The key `train.recipe`: what the dense run and every retraining arm share."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.images.settings import AUGMENT
from stages.pipeline.options import entry, union
from stages.pipeline.section import Section
from stages.training.losses import LOSSES
from stages.training.optimizers.registry import OPTIMIZERS


class OptimizerSettings(Section):
    """What every optimizer has: the momentum, or AdamW's beta1, of curves that bring none."""

    kind: str
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9


OPTIMIZER: Any = union(
    [entry(name, rule.update, "kind", OptimizerSettings) for name, rule in OPTIMIZERS.items()],
    "kind",
)
LOSS: Any = union([entry(name, loss, "kind") for name, loss in LOSSES.items()], "kind")


Clip = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""The greatest length of the gradient of all trained parameters together (Pascanu et al. 2013)."""
Decayed = Literal["all", "weights"]
"""What weight decay is for: every parameter, or the weights of layers alone."""


class Recipe(Section):
    """Batch, optimizer, loss and augmentations; no clipping where `clip` is null.

    Arms differ in their start, learning rate and momentum curve, and in what keys of their own say.
    """

    batch_size: Annotated[int, Field(ge=2)]
    optimizer: OPTIMIZER = Field(default={"kind": "sgd"}, validate_default=True)
    clip: Clip | None = None
    decayed: Decayed = "all"
    loss: LOSS = Field(default={"kind": "cross_entropy"}, validate_default=True)
    augment: AUGMENT = AUGMENT()
