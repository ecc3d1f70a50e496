"""The section `compute`: where and how training runs."""

from typing import Annotated, Literal

from pydantic import Field

from stages.pipeline.section import Section

MOST_THREADS = 1024
"""More cores than machines have; a hundred thousand threads take one down."""
Seeds = Annotated[int, Field(ge=1, le=10_000)]
"""The number of replicates; each is a process, a network and a row of the records."""


class Compute(Section):
    """Device and arithmetic; all but `graph` can change the last bits of a result.

    `threads` are those of one replicate on a CPU; replicates run side by side in processes.
    `precision` is that of the training step: weights, updates and evaluation stay float32.
    `evaluation_batch_size` is the number of images in one forward pass when a saved network is
    measured, or its BatchNorm statistics are re-estimated.
    """

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    evaluation_batch_size: Annotated[int, Field(ge=1)] = 512
    graph: bool = True
    deterministic: bool = True
