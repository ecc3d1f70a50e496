"""What an arm may change beside its start, curve, momentum and budget.

Every key is optional, and its default is what all arms do without it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Optional

from pydantic import BeforeValidator, Discriminator, Field, Tag

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, own_options, union
from stages.pipeline.params import parse
from stages.pipeline.section import Section
from stages.schedules.starts import Start
from stages.training.averages import AVERAGES
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


class Blocks(Section):
    """The last so many blocks of a network: its own modules that have parameters."""

    blocks: Annotated[int, Field(ge=1)]

    def __str__(self) -> str:
        """Say it as the end of a sentence."""
        return f"last {self.blocks} blocks"


def _as_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _form(value: Any) -> str:
    return "mapping" if isinstance(value, Mapping | Blocks) else "word"


Part = Annotated[
    Annotated[Literal["all", "norm", "bias", "head"], Tag("word")]
    | Annotated[Blocks, Tag("mapping")],
    Discriminator(_form),
]


Parts = Annotated[tuple[Part, ...], BeforeValidator(_as_list), Field(min_length=1)]
"""Parts of a network, one or a list of them."""


class Teaching(Section):
    """What an arm learns from the dense network of its replicate (see `distillation.Teacher`).

    `scale` is what the divergence is multiplied by: the squared temperature, or nothing.
    """

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    temperature: Annotated[float, Field(gt=0, le=1000)] = 2.0
    scale: Literal["temperature_squared", "none"] = "temperature_squared"


class Sharpness(Section):
    """Sharpness-aware minimisation: how far the weights move for its gradient."""

    rho: Annotated[float, Field(gt=0, le=10)] = 0.05


class Average(Section):
    """What every average of weights has: what its statistics of BatchNorm are.

    keep: those of the trained network; reestimate: those of the training images, after each epoch.
    """

    kind: str
    batchnorm: Literal["keep", "reestimate"] = "keep"


AVERAGE: Any = Optional[  # noqa: UP045
    union([entry(name, average, "kind", Average) for name, average in AVERAGES.items()], "kind")
]


class Technique(Section):
    """The keys of an arm that change training itself.

    `optimizer` (an entry), `weight_decay` (a number, whatever the optimizer) and `label_smoothing`
    (a number; 0 is plain cross-entropy) stand in for those of train.recipe, as `clip` does (a
    number; 0 clips nothing). `trainable` names what
    is trained (see `trainable.freeze`). `teacher` is the dense network of the replicate. With an
    `average` the result of the arm is the average of its weights. `repair` re-estimates the
    statistics of BatchNorm before training. `state` says whether the optimizer begins with the
    slots that the dense run had; null keeps them with rewound weights alone (Renda 2020).
    `sharpness` takes the gradient where the loss is worst nearby.
    """

    optimizer: OWN_OPTIMIZER = None
    weight_decay: Decay = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = None
    clip: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    trainable: Parts = ("all",)
    teacher: Teaching | None = None
    average: AVERAGE = None
    repair: Literal["batchnorm"] | None = None
    state: Literal["fresh", "kept"] | None = None
    sharpness: Sharpness | None = None

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
