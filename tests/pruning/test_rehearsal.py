"""Methods that cannot prune a network are told before it is trained."""

from stages.models.resnet import resnet8
from stages.pipeline.params import parse
from stages.pruning.rehearsal import misfits
from stages.pruning.settings import ITERATIVE


def found(rounds, **allocation):
    entry = {"granularity": "filter", "criterion": "l1", "allocation": allocation, "rounds": rounds}
    methods = {"prune.iterative.mine": parse(ITERATIVE, entry).methods()}
    return list(misfits(resnet8(5, width=4), methods, "stages/models/resnet.py", (3, 8, 8), 5))


def test_rounds_are_tried_one_on_another():
    """Of 4 + 8 + 16 filters 14, 7 and 4 are left: the third round leaves less than 2 a layer."""
    assert found(2, kind="global", ratio=0.5, minimum=2) == []
    (line,) = found(3, kind="global", ratio=0.5, minimum=2)
    assert line.startswith("prune.iterative.mine: allocation")
    assert found({"kind": "cubic", "steps": 3}, kind="global", ratio=0.5, minimum=2) == []
