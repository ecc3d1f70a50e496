"""What an arm may change beside its start, curve, momentum and budget.

Every key is optional, and its default is what all arms do without it.
"""

from typing import Annotated, Any, Optional

from pydantic import Field

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, union
from stages.pipeline.params import parse
from stages.pipeline.section import Section
from stages.training.optimizers.registry import OPTIMIZERS
from stages.training.settings import LOSS, Recipe

OWN_OPTIMIZER: Any = Optional[  # noqa: UP045, of a value that is a type when it runs
    union([entry(name, rule.update, "kind") for name, rule in OPTIMIZERS.items()], "kind")
]
"""An entry of train.recipe.optimizer without the momentum, which is the arm's."""


class Technique(Section):
    """The keys of an arm that change training itself.

    `optimizer` (an entry), `weight_decay` (a number, whatever the optimizer) and `label_smoothing`
    (a number; 0 is plain cross-entropy) stand in for those of train.recipe.
    """

    optimizer: OWN_OPTIMIZER = None
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = None

    def as_technique(self) -> "Technique":
        """Return these keys alone."""
        return Technique(**{key: getattr(self, key) for key in Technique.model_fields})

    def changed(self) -> dict[str, Any]:
        """Return the keys that are not at their defaults, in values of JSON."""
        default, whole = (t.model_dump(mode="json") for t in (Technique(), self.as_technique()))
        return {key: value for key, value in whole.items() if value != default[key]}

    def recipe(self, shared: Recipe) -> Recipe:
        """Return the recipe of an arm with these keys; `shared` is train.recipe."""
        optimizer, loss = self.optimizer or shared.optimizer, shared.loss
        if self.weight_decay is not None:
            if "weight_decay" not in type(optimizer).model_fields:
                raise Fault(f"weight_decay: the optimizer {optimizer.kind!r} has none")
            optimizer = optimizer.model_copy(update={"weight_decay": self.weight_decay})
        if self.label_smoothing is not None:
            smoothed = {"kind": "label_smoothing", "smoothing": self.label_smoothing}
            loss = parse(LOSS, smoothed if self.label_smoothing else {"kind": "cross_entropy"})
        return shared.model_copy(update={"optimizer": optimizer, "loss": loss})
