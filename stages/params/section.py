"""The base of every typed section of params.yaml."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


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
