"""All of a captured step but the capture itself, which needs a GPU: a replay is the step here."""

import random
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from stages.pipeline.fault import Fault
from stages.schedules.rates import Rates
from stages.training import graph as module
from stages.training.averages import swa
from stages.training.averaging import Averaging
from stages.training.distillation import Teacher
from stages.training.extras import PLAIN, Extras
from stages.training.graph import WARM_UP, captured
from stages.training.optimizer import Optimizer
from stages.training.tables import epoch_tables

CPU = torch.device("cpu")


@pytest.fixture
def steady(network):
    """A network that draws no random numbers."""
    return lambda seed=0: network(seed, dropout=0)


@pytest.fixture
def recorded(monkeypatch):
    """Stand in for the GPU: record what is captured, and replay it by running it."""
    steps = []

    def record(step, device):
        steps.append(step)
        return step

    monkeypatch.setattr(module, "record", record)
    return steps


def ready(run):
    """Lay the tables of a run's epoch out, as is done before its first step."""
    tables = epoch_tables(run.data.train.images.shape, run.recipe, run.seed, run.stream, run.epoch)
    run.step.begin(tables, run.rates, run.epoch)
    return run


def replaying(run):
    """Make a run on the CPU launch its steps as one on a GPU does."""
    ready(run)
    run.launch = captured(run.step, run.step.state(), CPU)
    return run


@pytest.mark.parametrize("which", ["recipe", "other_recipe", "clipped_recipe"])
def test_replayed_epochs_are_the_eager_ones_to_the_bit(
    which, begin, steady, recorded, snapshot, same, request
):
    recipe = request.getfixturevalue(which)
    eager, graphed = (begin(network=steady(), recipe=recipe) for _ in range(2))
    losses = [eager.advance() for _ in range(4)]
    replaying(graphed)
    assert [graphed.advance() for _ in range(4)] == losses
    assert same(snapshot(graphed), snapshot(eager))
    assert recorded == [graphed.step]


def taught(network):
    return Extras(teacher=Teacher(network, 0.5, 2.0))


def averaged(network):
    return Extras(averaging=Averaging(network, swa(12, last=0.5)))


def sharp(network):
    return Extras(rho=0.1)


@pytest.mark.parametrize("extras", [taught, averaged, sharp])
def test_replayed_epochs_with_extras_are_the_eager_ones_to_the_bit(
    extras, begin, masked, steady, recorded, snapshot, same
):
    pruned, masks = masked
    pruned[4].p = 0.0
    runs = [
        begin(network=deepcopy(pruned), masks=masks, extras=extras(steady(1))) for _ in range(2)
    ]
    eager, graphed = runs
    losses = [eager.advance() for _ in range(4)]
    replaying(graphed)
    assert [graphed.advance() for _ in range(4)] == losses
    assert same(snapshot(graphed), snapshot(eager))
    assert recorded == [graphed.step]


def test_capture_leaves_every_tensor_as_it_was(begin, steady, recorded):
    run = begin(network=steady())
    run.advance()
    run.step.counter.fill_(2)
    before = [tensor.clone() for tensor in run.step.state()]
    captured(run.step, run.step.state(), CPU)
    assert all(map(torch.equal, before, run.step.state()))


def test_an_epoch_of_one_step_can_be_captured(begin, steady, recorded, rates):
    large = begin().recipe.model_copy(update={"batch_size": 26})
    run = begin(network=steady(), recipe=large, rates=Rates(rates.lr, rates.momentum, 1))
    assert replaying(run).launch is run.step
    assert recorded == [run.step]


@pytest.mark.parametrize("which", ["recipe", "other_recipe", "clipped_recipe"])
def test_the_state_of_a_step_is_all_that_it_changes(which, begin, steady, request):
    run = begin(network=steady(), recipe=request.getfixturevalue(which))
    run.advance()
    everything = {**vars(run.step), **dict(run.network.state_dict()), **run.optimizer.state()}
    everything |= {f"table {i}": table for i, table in enumerate(run.step.tables)}
    tensors = {name: t for name, t in everything.items() if isinstance(t, torch.Tensor)}
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    run.step.counter.zero_()
    run.step()
    changed = {name for name, t in tensors.items() if not torch.equal(t, before[name])}
    kept = {id(tensor) for tensor in run.step.state()}
    assert len(changed) > 5
    assert {*run.optimizer.state(), "counter", "total"} <= changed
    assert all(id(tensors[n]) in kept for n in changed - run.network.state_dict().keys())


def test_it_warms_up_before_it_records(recorded):
    calls = []
    captured(lambda: calls.append(len(recorded)), [torch.zeros(1)], CPU)
    assert calls == [0] * WARM_UP
    assert len(recorded) == 1


def test_a_network_that_draws_random_numbers_runs_eagerly_and_says_so(
    begin, recorded, capsys, snapshot, same
):
    eager, other = begin(), begin()
    replaying(other)
    assert other.launch is other.step
    assert not recorded
    said = capsys.readouterr().err
    assert said.startswith("compute.graph: steps run one kernel at a time; ")
    assert "random numbers" in said
    assert said.count("\n") == 1
    assert other.advance() == eager.advance()
    assert same(snapshot(other), snapshot(eager))


def test_a_step_that_cannot_be_captured_runs_eagerly_and_says_why(
    begin, steady, monkeypatch, capsys
):
    def refuse(step, device):
        step()
        raise RuntimeError("operation not permitted when stream is capturing\nmore lines")

    monkeypatch.setattr(module, "record", refuse)
    run = ready(begin(network=steady()))
    before = [tensor.clone() for tensor in run.step.state()]
    assert captured(run.step, run.step.state(), CPU) is run.step
    assert all(map(torch.equal, before, run.step.state()))
    assert capsys.readouterr().err.endswith("when stream is capturing\n")


def test_a_fault_of_the_network_is_no_reason_to_run_eagerly(begin, steady, recorded):
    net = steady()
    net.add_module("aside", nn.Linear(3, 3))
    net.forward = net[:6].forward
    run = begin(network=net, optimizer=Optimizer(net, begin().recipe.optimizer))
    with pytest.raises(Fault, match=r"^aside\.weight: the loss does not depend on it"):
        captured(ready(run).step, run.step.state(), CPU)


def test_a_rehearsal_that_fails_leaves_no_gradient_behind(begin, steady, monkeypatch):
    def refuse(step, device):
        run.optimizer.step = lambda lr, momentum: None
        step()
        raise RuntimeError("no")

    monkeypatch.setattr(module, "record", refuse)
    run = ready(begin(network=steady()))
    captured(run.step, run.step.state(), CPU)
    assert all(parameter.grad is None for parameter in run.network.parameters())


HOST = {"torch": lambda: torch.rand(1), "random": random.random, "numpy": np.random.random}


@pytest.mark.parametrize("draw", HOST.values(), ids=HOST)
def test_a_choice_made_on_the_host_is_not_captured(draw, begin, steady, recorded, capsys):
    net = steady()
    net.register_forward_hook(lambda *_: draw() and None)
    run = replaying(begin(network=net))
    assert not recorded
    assert run.launch is run.step
    assert "random numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("f does not have a deterministic implementation, but you set"),
    ],
)
def test_what_the_step_would_meet_too_is_raised(error, monkeypatch, capsys):
    def refuse(step, device):
        raise error

    monkeypatch.setattr(module, "record", refuse)
    with pytest.raises(type(error), match=str(error)):
        captured(lambda: None, [torch.zeros(1)], CPU)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("devices", "graph"), [(1, True), (2, False)])
def test_a_step_that_gpus_share_is_not_captured(devices, graph, begin, monkeypatch):
    monkeypatch.setattr("stages.training.loop.captured", lambda *step: "graph")
    monkeypatch.setattr("stages.replicates.ranks.devices", lambda: devices)
    run = begin()
    run.step.device = torch.device("cuda")
    assert run.launch == ("graph" if graph else run.step)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("extras", [lambda network: PLAIN, taught, averaged, sharp])
def test_on_a_gpu_graph_and_eager_steps_give_the_same_bits(
    extras, begin, data, steady, snapshot, same
):
    runs = []
    for graph in (True, False):
        place = {"network": steady().cuda(), "data": data.to(torch.device("cuda"))}
        compute = begin().compute.model_copy(update={"graph": graph})
        run = begin(**place, compute=compute, extras=extras(steady(1).cuda()))
        losses = [run.advance() for _ in range(4)]
        runs.append((losses, snapshot(run)))
        assert (run.launch is run.step) is not graph
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
