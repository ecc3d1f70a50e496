"""The base of every typed section of params.yaml."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

T = TypeVar("T")
STRICT = ConfigDict(strict=True)
"""Neither true nor "1" nor 1.0 is a whole number, and neither true nor "0.1" is a number."""
NAME = "[a-z][a-z0-9_]*"
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
"""The name of a method or schedule: it becomes the name of stages, files and options."""


def rising(values: tuple[T, ...]) -> tuple[T, ...]:
    """Return values; a ValueError where one is not above the one before it."""
    if any(not low < high for low, high in pairwise(values)):  # type: ignore[operator]
        raise ValueError("it should be in rising order, each value once")
    return values


Rising = Annotated[tuple[T, ...], AfterValidator(rising)]
"""A list of numbers, each above the one before it."""


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
        known = sorted(cls.model_fields)
        if unknown := [key for key in value if key not in known]:
            raise PydanticCustomError("unknown_keys", "", {"unknown": unknown, "known": known})
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
