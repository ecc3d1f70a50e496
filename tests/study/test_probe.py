"""What several processes find is put together, and each has its GPU."""

import json

import pytest

from stages.replicates.settings import Compute
from stages.study.price import Speed
from stages.study.probe import gpu_of, on_gpu
from stages.study.speeds import together


def test_what_all_processes_found_is_averaged(tmp_path):
    for number, factor in enumerate((1, 3)):
        speed = {"step": 1.0 * factor, "image": 0.1 * factor, "once": 2.0, "nbytes": 40, "macs": 7}
        found = {"dense": speed, "pruned": {"l1": [speed, speed]}, "pruning": {"l1": 5.0 * factor}}
        found |= {"unknown": {"l1": "why"}}
        (tmp_path / f"{number}.json").write_text(json.dumps(found))
    found = together(tmp_path)
    assert found.dense == Speed(2.0, pytest.approx(0.2), 2.0, 40, 7)
    assert found.pruned == {"l1": [found.dense, found.dense]}
    assert found.pruning == {"l1": 10.0}
    assert found.unknown == {"l1": "why"}


@pytest.mark.parametrize(
    ("gpus", "places"), [(0, [0, 0, 0, 0]), (1, [0, 0, 0, 0]), (3, [0, 1, 2, 0])]
)
def test_arms_take_the_gpus_in_turns(gpus, places):
    assert [gpu_of(process, gpus) for process in range(4)] == places


@pytest.mark.parametrize(
    ("device", "gpus", "named"),
    [
        ("auto", 0, "auto"),
        ("auto", 1, "auto"),
        ("auto", 4, "cuda:2"),
        ("cuda", 4, "cuda:2"),
        ("cpu", 4, "cpu"),
        ("cuda:1", 4, "cuda:1"),
    ],
)
def test_a_process_is_on_its_gpu_where_there_are_several(device, gpus, named):
    assert on_gpu(Compute(device=device), 2, gpus).device == named
