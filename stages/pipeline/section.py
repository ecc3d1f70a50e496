"""The base of every typed section of params.yaml."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""The name of a method or schedule: it becomes a stage and file name, and reaches the shell."""


class Section(BaseModel):
    """A frozen group of settings that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        known = sorted(cls.model_fields)
        unknown = [key for key in value if key not in known] if isinstance(value, Mapping) else []
        if unknown:
            raise PydanticCustomError("unknown_keys", "", {"unknown": unknown, "known": known})
        return value
