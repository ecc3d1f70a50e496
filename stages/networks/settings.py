"""The section `model`: which network is trained and pruned."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from stages.pipeline.section import Location, Section

GIVEN = ("num_classes", "in_channels")
"""Arguments of a factory that follow from the data."""


def own(options: dict[str, Any]) -> dict[str, Any]:
    """Return options; a ValueError where one of them would override what the data says."""
    for name in GIVEN:
        if name in options:
            raise ValueError(f"it should not hold {name}, which follows from the data")
    return options


class Model(Section):
    """The file that defines the network, its factory function, and the factory's options."""

    code: Location
    factory: str
    options: Annotated[dict[str, Any], AfterValidator(own)] = Field(default_factory=dict)
