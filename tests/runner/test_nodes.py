"""Which stages a cluster has room for."""

import sys

import pytest

from stages.pipeline.fault import Fault
from stages.runner.cluster import Cluster
from stages.runner.demands import Demand
from stages.runner.nodes import Node, Nodes, largest
from stages.runner.slots import DEVICES, THREADS, Slot


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.delenv("AFTERPRUNE_WORKERS", raising=False)


def cluster(*nodes, shares=1, at_once=1):
    there = [Node(*node) for node in nodes]
    return there, Nodes(lambda: there, shares, at_once)


def test_stages_start_as_long_as_all_nodes_together_have_cores():
    _, nodes = cluster((2, 0), (1, 0))
    taken = [nodes.take(Demand()) for _ in range(3)]
    assert [slot.cores for slot in taken] == [1, 1, 1]
    assert nodes.take(Demand()) == "cores"
    taken[0].give_back()
    assert isinstance(nodes.take(Demand()), Slot)


def test_nodes_come_and_go():
    there, nodes = cluster()
    assert nodes.take(Demand()) == "cores"
    there.append(Node(2, 0))
    first = nodes.take(Demand(2))
    there.append(Node(1, 0))
    assert isinstance(nodes.take(Demand(1)), Slot)
    there[:] = [Node(1, 0)]
    first.give_back()
    assert nodes.take(Demand()) == "cores"


def test_no_stage_gets_more_than_a_node_has():
    _, nodes = cluster((2, 0), (4, 0), (0, 0))
    slot = nodes.take(Demand(8))
    assert (slot.cores, slot.variables[THREADS]) == (4, "4")
    slot.give_back()
    assert nodes.take(Demand(alone=True)).cores == 4


def test_threads_and_replicates():
    _, nodes = cluster((8, 0))
    slot = nodes.take(Demand(2))
    assert slot.variables == {THREADS: "2", "AFTERPRUNE_WORKERS": "1"}
    _, nodes = cluster((8, 0), at_once=3)
    slot = nodes.take(Demand(2))
    assert slot.cores == 6
    assert slot.variables == {THREADS: "2", "AFTERPRUNE_WORKERS": "3"}


def test_the_users_own_variables_stay(monkeypatch):
    monkeypatch.setenv(THREADS, "5")
    _, nodes = cluster((4, 0), at_once=2)
    assert nodes.take(Demand()).variables == {"AFTERPRUNE_WORKERS": "2"}


def test_gpus_are_shared_by_so_many_stages():
    _, nodes = cluster((8, 1), (8, 1), shares=2)
    taken = [nodes.take(Demand()) for _ in range(4)]
    assert [slot.gpus for slot in taken] == [1] * 4
    assert nodes.take(Demand()) == "gpus"
    assert nodes.take(Demand(gpus=0)).variables[DEVICES] == ""


def test_several_gpus_are_not_shared():
    _, nodes = cluster((8, 2), shares=3)
    slot = nodes.take(Demand(gpus=2))
    assert slot.gpus == 2
    assert nodes.take(Demand()) == "gpus"


def test_without_gpus_the_variable_stays_as_it_is():
    _, nodes = cluster((8, 0))
    slot = nodes.take(Demand())
    assert slot.gpus == 0
    assert DEVICES not in slot.variables


def test_a_stage_waits_for_the_gpu_of_a_node_that_died_and_never_runs_without():
    there, nodes = cluster((8, 0), (1, 1))
    nodes.take(Demand()).give_back()
    there.pop()
    assert nodes.take(Demand()) == "cores"
    there.append(Node(1, 1))
    assert nodes.take(Demand()).gpus == 1


def test_more_gpus_than_any_node_has():
    _, nodes = cluster((8, 1), (8, 1))
    with pytest.raises(Fault, match="it asks for 2 GPUs; no node has more than 1"):
        nodes.take(Demand(gpus=2))


def test_cores_are_those_of_a_node_with_the_gpus():
    _, nodes = cluster((64, 0), (4, 1))
    assert nodes.take(Demand(16)).cores == 4
    assert nodes.take(Demand(16, gpus=0)).cores == 16
    assert largest([], 0) == 0


def test_without_ray_the_option_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Fault, match=r"--ray needs Ray: pip install 'afterprune\[ray\]'"):
        Cluster("auto", 1, [], 1)
