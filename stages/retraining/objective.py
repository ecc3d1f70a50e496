"""The objective of an arm before its schedule begins."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator

from stages.pipeline.section import Section


class Reconstruct(Section):
    """Train block by block to the dense network's activations (see `reconstruction`).

    `samples` training images are seen `passes` times in batches of `batch_size`; `lr` is the peak.
    `inputs` of a block are those of the pruned network so far (sparse) or of the dense one.
    """

    kind: Literal["reconstruct"]
    samples: Annotated[int, Ge(1), Le(1_000_000)] = 128
    passes: Annotated[int, Ge(1), Le(10_000)] = 10
    batch_size: Annotated[int, Ge(1), Le(100_000)] = 2
    lr: Annotated[float, Gt(0), Le(1)] = 0.01
    inputs: Literal["sparse", "dense"] = "sparse"


def _as_mapping(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Objective = Annotated[Reconstruct, BeforeValidator(_as_mapping)]
"""A word, with all its defaults, or a mapping."""
