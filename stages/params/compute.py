"""The section `compute`: where and how training runs."""

from typing import Annotated

from pydantic import Field

from stages.params.section import Section


class Compute(Section):
    """Device and threads; both can change the last bits of a result, so they are parameters.

    `threads` are those of one replicate on a CPU; replicates run side by side in processes.
    """

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    threads: Annotated[int, Field(ge=1)] = 1
