"""The `data` section of params.yaml: which images, and how they are split."""

from typing import Annotated

from annotated_types import Ge, Lt

from stages.data.sources.registry import SOURCES
from stages.pipeline.options import entry, union
from stages.pipeline.section import Location, Section


class Data(Section):
    """What every source shares.

    `source` names an entry of SOURCES, whose own options stand beside these keys; `root` holds the
    user's files; `validation` is the fraction of the training images held out, in proportion to the
    classes; `seed` is that split's; `train_limit` and `test_limit` keep at most so many images.
    """

    source: str
    root: Location = "data/raw"
    validation: Annotated[float, Ge(0), Lt(0.9)] = 0.1
    seed: Annotated[int, Ge(0)] = 0
    train_limit: Annotated[int, Ge(1)] | None = None
    test_limit: Annotated[int, Ge(1)] | None = None


DATA = union(
    [entry(name, source.read, "source", Data) for name, source in SOURCES.items()], "source"
)
