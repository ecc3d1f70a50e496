"""What an arm may change beside its start, curve, momentum and budget.

Every key is optional, and its default is what all arms do without it.
"""

from typing import Annotated, Any, Literal, Optional

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, own_options, union
from stages.pipeline.params import parse
from stages.pipeline.section import Section
from stages.retraining.average import AVERAGE, SoupOf
from stages.retraining.objective import Objective
from stages.retraining.parts import MaskedLora, Parts
from stages.schedules.starts import Start
from stages.training.optimizers.registry import OPTIMIZERS, Rule
from stages.training.settings import LOSS, Recipe

Decay = Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
SHARED_DECAY: dict[str, tuple[Any, Any]] = {"weight_decay": (Decay, None)}


def _own(name: str, rule: Rule) -> type[Section]:
    has = "weight_decay" in own_options(rule.update)
    return entry(name, rule.update, "kind", fields=SHARED_DECAY if has else None)


OWN_OPTIMIZER: Any = Optional[  # noqa: UP045, of a value that is a type when it runs
    union([_own(name, rule) for name, rule in OPTIMIZERS.items()], "kind")
]
"""An entry of train.recipe.optimizer without the momentum, which is the arm's.

A weight decay that it does not name is the recipe's: the rule alone changes.
"""


class Teaching(Section):
    """What an arm learns from the dense network of its replicate (see `distillation.Teacher`).

    `scale` is what the divergence is multiplied by: the squared temperature, or nothing. `task` is
    the weight of the loss on the labels; null, which the plan leaves out, is 1 - weight.
    """

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    task: Annotated[float, Field(ge=0, le=1)] | None = None
    temperature: Annotated[float, Field(gt=0, le=1000)] = 2.0
    scale: Literal["temperature_squared", "none"] = "temperature_squared"

    @model_serializer(mode="wrap")
    def _without_null(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if value is not None}


class Sharpness(Section):
    """Sharpness-aware minimisation: how far the weights move for its gradient."""

    rho: Annotated[float, Field(gt=0, le=10)] = 0.05


class Technique(Section):
    """The keys of an arm that change training itself.

    `optimizer` (an entry), `weight_decay` (a number, whatever the optimizer) and `label_smoothing`
    (a number; 0 is plain cross-entropy) stand in for those of train.recipe, as `clip` does (a
    number; 0 clips nothing). `trainable` names what
    is trained (see `trainable.freeze`). `teacher` is the dense network of the replicate. With an
    `average` the result of the arm is the average of its weights, or of those of the members of a
    soup. `repair` mends the pruned network before training: the statistics of BatchNorm, or the
    variances of channels too (see `training.variance`). `state` says whether the optimizer begins
    with the slots that the dense run had; null keeps them with rewound weights alone (Renda 2020).
    `sharpness` takes the gradient where the loss is worst nearby. Where a method prunes in rounds,
    learning rate and momentum `restart` per_round, or never: then they run on through all rounds.
    `objective` is what all blocks are trained to before the schedule begins, after any repair,
    whatever is `trainable`.
    """

    optimizer: OWN_OPTIMIZER = None
    weight_decay: Decay = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = None
    clip: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    trainable: Parts = ("all",)
    teacher: Teaching | None = None
    average: AVERAGE = None
    repair: Literal["batchnorm", "variance"] | None = None
    state: Literal["fresh", "kept"] | None = None
    sharpness: Sharpness | None = None
    restart: Literal["per_round", "never"] = "per_round"
    objective: Objective | None = None

    def as_technique(self) -> "Technique":
        """Return these keys alone."""
        return Technique(**{key: getattr(self, key) for key in Technique.model_fields})

    def changed(self) -> dict[str, Any]:
        """Return the keys that are not at their defaults, in values of JSON."""
        default, whole = (t.model_dump(mode="json") for t in (Technique(), self.as_technique()))
        return {key: value for key, value in whole.items() if value != default[key]}

    @property
    def passes(self) -> int:
        """How often a step passes its images through the network, forwards and back."""
        return 2 if self.sharpness else 1

    @property
    def needs_dense(self) -> bool:
        """Whether retraining needs the replicate's dense network, to learn from or repair by."""
        repairs = self.repair == "variance"
        return self.teacher is not None or self.objective is not None or repairs

    @property
    def soup(self) -> SoupOf | None:
        """The arm's average, if it is a soup."""
        return self.average if isinstance(self.average, SoupOf) else None

    @property
    def members(self) -> int:
        """How many networks are retrained one after another for one result."""
        return self.soup.members if self.soup else 1

    @property
    def adapts(self) -> bool:
        """Whether weights are trained by adapters, which are merged into them."""
        return any(isinstance(part, MaskedLora) for part in self.trainable)

    def keeps_state(self, start: Start) -> bool:
        """Whether the optimizer of an arm with this start begins with the dense run's slots."""
        return self.state == "kept" or (self.state is None and start == "rewound")

    def checkpoint_epoch(self, start: Start, rewound: int | None, last: int) -> int | None:
        """Return the dense epoch whose checkpoint is needed: `rewound`, or the last for slots."""
        if rewound is None and self.keeps_state(start):
            return last
        return rewound

    def recipe(self, shared: Recipe) -> Recipe:
        """Return the recipe of an arm with these keys; `shared` is train.recipe."""
        optimizer, loss = self._optimizer(shared.optimizer), shared.loss
        if self.label_smoothing is not None:
            smoothed = {"kind": "label_smoothing", "smoothing": self.label_smoothing}
            loss = parse(LOSS, smoothed if self.label_smoothing else {"kind": "cross_entropy"})
        clip = shared.clip if self.clip is None else self.clip or None
        return shared.model_copy(update={"optimizer": optimizer, "loss": loss, "clip": clip})

    def _optimizer(self, shared: Any) -> Any:
        """Return the arm's optimizer; its weight decay is the first that is a number."""
        own = self.optimizer or shared
        if "weight_decay" not in type(own).model_fields:
            if self.weight_decay is not None:
                raise Fault(f"weight_decay: the optimizer {own.kind!r} has none")
            return own
        of_all = getattr(shared, "weight_decay", 0.0)
        decay = next(d for d in (self.weight_decay, own.weight_decay, of_all) if d is not None)
        return own.model_copy(update={"weight_decay": decay})
