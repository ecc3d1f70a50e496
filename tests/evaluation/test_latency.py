import numpy as np
import pytest
import torch

from stages.evaluation import latency
from stages.evaluation.latency import in_turns, latencies
from stages.networks.building import Spec, build

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 10, 1)
CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """A clock that only `spend` moves."""
    now = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])

    def spend(seconds):
        now[0] += seconds

    return spend


def test_networks_take_turns_after_some_passes_to_warm_up(clock):
    order = []
    calls = {name: lambda name=name: order.append(name) or clock(0.0) for name in "ab"}
    taken = in_turns(calls)
    assert order[: 2 * latency.WARM_UP] == ["a"] * latency.WARM_UP + ["b"] * latency.WARM_UP
    assert order[2 * latency.WARM_UP :] == ["a", "b"] * latency.MOST
    assert {name: len(seconds) for name, seconds in taken.items()} == dict.fromkeys("ab", 300)


def test_slow_networks_are_timed_a_few_times(clock):
    taken = in_turns({"a": lambda: clock(3.0), "b": lambda: clock(1.0)})
    assert taken == {"a": [3.0] * latency.FEWEST, "b": [1.0] * latency.FEWEST}


def test_quartiles_are_in_milliseconds_and_ratios_are_of_the_same_turn():
    """By hand: turns of 4, 8, 12, 16, 20 ms against half, half, half, a quarter, a quarter."""
    dense = [0.004, 0.008, 0.012, 0.016, 0.020]
    pruned = [0.002, 0.004, 0.006, 0.004, 0.005]
    one, other = latency._rows("torch", 1, {"dense": dense, "pruned": pruned})
    assert (one.first_quartile, one.median, one.third_quartile) == pytest.approx((8, 12, 16))
    assert (other.first_quartile, other.median, other.third_quartile) == pytest.approx((4, 4, 5))
    assert (one.times_faster, other.times_faster) == pytest.approx((1, 2))
    assert (one.n, other.n) == (5, 5)


def test_every_engine_and_batch_has_a_row_for_every_network(monkeypatch):
    monkeypatch.setattr(latency, "MOST", 2)
    networks = {"dense": build(SPEC, 0), "l1": build(SPEC, 1)}
    rows = latencies(networks, (1, 8, 8), (1, 128), CPU, 1)
    engines = ("torch", "onnxruntime")
    expected = {(n, e, b) for n in networks for e in engines for b in (1, 128)}
    assert {(row.network, row.engine, row.batch) for row in rows} == expected
    assert all(row.median > 0 and row.n == 2 for row in rows)


def test_without_onnxruntime_torch_is_timed_alone(monkeypatch):
    monkeypatch.setattr(latency, "MOST", 1)
    monkeypatch.setattr(latency, "can_run", lambda: False)
    rows = latencies({"dense": build(SPEC, 0)}, (1, 8, 8), (1, 128), CPU, 1)
    assert {row.engine for row in rows} == {"torch"}


def test_networks_are_left_as_they_were():
    network = build(SPEC, 0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    latencies({"dense": network}, (1, 8, 8), (1, 128), CPU, 1)
    after = network.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
