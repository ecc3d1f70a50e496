"""The section `evaluate`: how networks are evaluated."""

from typing import Annotated

from pydantic import Field

from stages.params.section import Section


class Evaluate(Section):
    """Images per forward pass; it changes speed and memory, accuracy by rounding at most."""

    batch_size: Annotated[int, Field(ge=1)] = 512
