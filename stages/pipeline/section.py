"""The base of every typed section of params.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

T = TypeVar("T")
STRICT = ConfigDict(strict=True)
"""Neither true nor "1" nor 1.0 is a whole number, and neither true nor "0.1" is a number."""
NAME = "[a-z][a-z0-9_]{0,63}"
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
"""The name of a method or schedule: it becomes the name of stages, files and options.

File systems allow names of 255 bytes, and a stage's holds two of these.
"""

Location = Annotated[str, Field(min_length=1, max_length=255)]
"""The path of a file or folder, of no more characters than its last part may have."""
MOST_EPOCHS = 100_000
Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
"""The length of a run; its learning rates, one a step, are in memory as a whole."""


def rising(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return values; a ValueError where one is not above the one before it."""
    if any(not low < high for low, high in pairwise(values)):  # type: ignore[operator]
        raise ValueError("it should be in rising order, each value once")
    return values


Rising = Annotated[tuple[T, ...], AfterValidator(rising)]
"""A list of numbers, each above the one before it."""


@dataclass(frozen=True)
class Unknown:
    """Stands for the value of a key that a section does not have: the keys that it has."""

    known: tuple[str, ...]


class Section(BaseModel):
    """A frozen group of settings that knows all its keys, each of exactly the type it names.

    A list in YAML is a tuple here.
    """

    model_config = STRICT | ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        unknown = Unknown(tuple(sorted(cls.model_fields)))
        kept = {key: value[key] if key in unknown.known else unknown for key in value}
        return {str(k): tuple(v) if isinstance(v, list) else v for k, v in kept.items()}
