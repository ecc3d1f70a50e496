"""The section `model`: which network is trained and pruned."""

from typing import Any

from pydantic import Field

from stages.pipeline.section import Section


class Model(Section):
    """The file that defines the network, its factory function, and the factory's options."""

    code: str
    factory: str
    options: dict[str, Any] = Field(default_factory=dict)
