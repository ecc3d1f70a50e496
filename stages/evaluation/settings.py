"""The sections `latency` and `corruptions`: the methods whose networks are timed and tested."""

from typing import Annotated, Literal, get_args

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field

from stages.pipeline.section import Rising, Section

CorruptionKind = Literal[
    "gaussian_noise", "gaussian_blur", "contrast", "brightness", "pixelate", "jpeg"
]


Severities = Annotated[Rising[Annotated[int, Ge(1), Le(5)]], Field(min_length=1)]


def _each_once(kinds: tuple[CorruptionKind, ...]) -> tuple[CorruptionKind, ...]:
    if len(set(kinds)) < len(kinds):
        raise ValueError("it should hold each kind once")
    return kinds


Distinct = Annotated[tuple[CorruptionKind, ...], AfterValidator(_each_once)]
Kinds = Annotated[Distinct, Field(min_length=1)]


class Timing(Section):
    """How a method's network is timed: the images of one forward pass."""

    batches: Annotated[Rising[Annotated[int, Ge(1)]], Field(min_length=1)] = (1, 128)


class Corruptions(Section):
    """How a method's test images are corrupted: each of the kinds at each of the severities."""

    kinds: Kinds = get_args(CorruptionKind)
    severities: Severities = (1, 2, 3, 4, 5)
