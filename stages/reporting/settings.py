"""The `compare` section: what the report holds the arms against."""

from typing import Annotated

from pydantic import Field

from stages.pipeline.section import Rising, Section

Replicates = Annotated[int, Field(ge=3, le=10_000)]
MOST_LOOKS = 20


class Compare(Section):
    """`baseline` is an arm; `informed` and `random` are pruning methods; `confidence` of intervals.

    The crossed comparison holds `random` under the best schedule against `informed` under
    `baseline`; the same name for both methods leaves it out. `path` lists arms whose consecutive
    differences are reported, an ablation: neighbours differ in one key, or in one option of it.
    `factorial` lists arms that are a full cross of keys with two values each; the first has the
    low level of all. A difference that is shown to lie within `margin` points counts as none.
    `looks` are the planned numbers of replicates of a study that grows, whose last one ends it;
    none for one that does not.
    """

    baseline: str
    informed: str
    random: str
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    path: tuple[str, ...] = ()
    factorial: tuple[str, ...] = ()
    margin: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    looks: Annotated[Rising[Replicates], Field(max_length=MOST_LOOKS)] = ()
