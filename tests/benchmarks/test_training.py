import multiprocessing
from functools import partial

import pytest

from stages.pipeline.fault import Fault
from tests.benchmarks.ceiling import Ceiling
from tests.benchmarks.child import Child, Task
from tests.benchmarks.ours import Ours
from tests.benchmarks.setting import Device, Setting
from tests.benchmarks.stock import Stock
from tests.benchmarks.training import Training
from tests.benchmarks.workload import Sizes

MAKERS = {
    "stock": partial(Stock, workers=0, device=Device.cpu),
    "ceiling": partial(Ceiling, setting=Setting(), device=Device.cpu),
    "ours": partial(Ours, setting=Setting(), device=Device.cpu),
}
IMAGES = {"epoch": 16, "evaluation": 7, "arm": 2 * (16 + 5 + 7)}


class Asked:
    """Says how it would start processes of its own."""

    def __init__(self, _):
        raise Fault(multiprocessing.get_start_method())


def network(contender):
    return contender.run.network if isinstance(contender, Ours) else contender.network


@pytest.mark.usefixtures("torch_as_before")
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("kind", IMAGES)
def test_contenders_take_the_same_images(name, kind, tiny):
    contender = MAKERS[name](tiny())
    seen = []
    network(contender).register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    for _ in range(2):
        seen.clear()
        assert getattr(contender, kind)() == sum(seen) == IMAGES[kind]


def test_a_case_from_end_to_end(tiny):
    rows = Training("epoch-tiny", "epoch", tiny, Device.cpu).rows([Setting()], 1)
    assert [row.ratio for row in rows] == [
        "ours / ceiling",
        "ours / stock 2 workers",
        "ours on all cores / stock 2 workers",
        "stock 0 workers / stock 2 workers",
    ]
    assert {(row.case, row.setting, row.n, row.unit) for row in rows} == {
        ("epoch-tiny", "float32", 1, "images/s")
    }
    assert all(row.median == pytest.approx(row.top / row.bottom) for row in rows)


def test_a_contender_that_cannot_begin_says_why(tiny):
    task = Task(partial(tiny, sizes=Sizes(7, 0, 0)), MAKERS["ours"], "epoch", Device.cpu)
    child = Child("ours", task)
    with pytest.raises(Fault, match=r"^ours: .*batch_size is 8; that makes 0 steps"):
        child.end()
    child.close()


def test_a_contender_starts_processes_as_it_would_outside(tiny):
    child = Child("stock", Task(tiny, Asked, "epoch", Device.cpu))
    with pytest.raises(Fault, match=f"^stock: {multiprocessing.get_start_method()}$"):
        child.end()
    child.close()
