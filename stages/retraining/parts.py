"""The parts of a network that an arm may train: the values of its key `trainable`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from stages.pipeline.section import Section


class Blocks(Section):
    """The last so many blocks of a network: its own modules that have parameters."""

    blocks: Annotated[int, Field(ge=1)]

    def __str__(self) -> str:
        """Say it as the end of a sentence."""
        return f"last {self.blocks} blocks"


class MaskedLora(Section):
    """Low-rank adapters of the weights that no other part trains (see `training.lora`).

    The rank, and alpha: alpha / rank multiplies the update. Defaults are PERP's. The rank is an
    option because layers of small networks have fewer than 16 channels.
    """

    masked_lora: Annotated[int, Field(ge=1, le=10_000)] = 16
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 32.0

    def __str__(self) -> str:
        """Say it as the end of a sentence."""
        return "weight of a linear layer or convolution beside the other parts"


def _as_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _form(value: Any) -> str:
    if isinstance(value, MaskedLora | Blocks):
        return type(value).__name__
    if not isinstance(value, Mapping):
        return "word"
    like = get_close_matches(f"{next(iter(value), '')}", ("masked_lora", "alpha", "blocks"), 1, 0)
    return "Blocks" if like == ["blocks"] else "MaskedLora"


def _named(word: str) -> "str | MaskedLora":
    return MaskedLora() if word == "masked_lora" else word


def _apart(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    adapted = sum(isinstance(part, MaskedLora) for part in parts)
    if adapted > 1 or (adapted and "all" in parts):
        raise ValueError("it should hold masked_lora once, and not beside all")
    return parts


Word = Literal["all", "norm", "bias", "head", "masked_lora"]
Part = Annotated[
    Annotated[Word, AfterValidator(_named), Tag("word")]
    | Annotated[Blocks, Tag("Blocks")]
    | Annotated[MaskedLora, Tag("MaskedLora")],
    Discriminator(_form),
]


Parts = Annotated[
    tuple[Part, ...], BeforeValidator(_as_list), Field(min_length=1), AfterValidator(_apart)
]
"""Parts of a network, one or a list of them."""
