"""The key `train.recipe`: what the dense run and every retraining arm share."""

from typing import Annotated

from pydantic import Field

from stages.params.section import Section


class Augment(Section):
    """Random crop after zero-padding by `pad` pixels on each side; random horizontal flip."""

    pad: Annotated[int, Field(ge=0)] = 0
    flip: bool = False


class Recipe(Section):
    """Batch, optimizer, loss and augmentation.

    Arms differ in their start, learning rate and momentum curve alone.
    """

    batch_size: Annotated[int, Field(ge=2)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Augment = Augment()
