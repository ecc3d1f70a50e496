"""The section `latency`: the methods whose networks are timed."""

from typing import Annotated

from annotated_types import Ge
from pydantic import Field

from stages.pipeline.section import Rising, Section


class Timing(Section):
    """How a method's network is timed: the images of one forward pass."""

    batches: Annotated[Rising[Annotated[int, Ge(1)]], Field(min_length=1)] = (1, 128)
