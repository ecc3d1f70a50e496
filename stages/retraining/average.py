"""What an arm may average: the values of its key `average`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Optional

from pydantic import Discriminator, Field, Tag

from stages.pipeline.options import entry, union
from stages.pipeline.section import Section
from stages.training.averages import AVERAGES


class Average(Section):
    """What every average of weights has: what its statistics of BatchNorm are.

    keep: those of the trained network; reestimate: those of the training images, after each epoch.
    """

    kind: str
    batchnorm: Literal["keep", "reestimate"] = "keep"


class Spread(Section):
    """Peaks of a soup's members: from the arm's divided by a factor to its multiple by it."""

    factor: Annotated[float, Field(gt=1, le=1000)]


def _form(value: Any) -> str:
    return "mapping" if isinstance(value, Mapping | Spread) else "word"


Vary = Annotated[
    Annotated[Literal["seed"], Tag("word")] | Annotated[Spread, Tag("mapping")],
    Discriminator(_form),
]


class SoupOf(Average):
    """A soup: so many members are retrained one after another, each for the arm's epochs.

    They differ in the order and the augmentation of images, and where peaks `vary` in these too:
    evenly by the logarithm. The rule says which of them are averaged (see `training.soup`).
    """

    kind: Literal["soup"]
    members: Annotated[int, Field(ge=2, le=100)]
    vary: Vary = "seed"
    rule: Literal["uniform", "greedy"] = "uniform"
    batchnorm: Literal["keep", "reestimate"] = "reestimate"

    @property
    def factors(self) -> list[float]:
        """What multiplies the learning rates of each member."""
        spread = self.vary.factor if isinstance(self.vary, Spread) else 1.0
        return [spread ** (2 * k / (self.members - 1) - 1) for k in range(self.members)]


AVERAGE: Any = Optional[  # noqa: UP045
    union(
        [*(entry(name, each, "kind", Average) for name, each in AVERAGES.items()), SoupOf], "kind"
    )
]
