"""Soups: the mean and the greedy choice by hand, and members that are runs of their own."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from stages.images.prepared import ImageSet
from stages.schedules.rates import Rates
from stages.training.extras import Extras
from stages.training.fit import fit
from stages.training.loop import Run
from stages.training.optimizer import Optimizer
from stages.training.recalibration import recalibrated
from stages.training.soup import Soup, mean
from tests.training.test_graph import recorded, replaying

__all__ = ["recorded"]


def test_the_mean_of_tensors_by_hand():
    """A third of 1 + 2 + 6 is 3; equal numbers are their own mean to the bit; counts have none."""
    members = [{"w": torch.tensor([w, 0.1]), "n": torch.tensor(n)} for w, n in ((1, 5), (2, 7))]
    found = mean([*members, {"w": torch.tensor([6, 0.1]), "n": torch.tensor(9)}])
    assert torch.equal(found["w"], torch.tensor([3, 0.1]))
    assert found["n"] == 5


def member(weight):
    """A network of one pixel that says class 1 where `weight` * pixel is above 0."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    network[1].weight.data = torch.tensor([[0.0], [weight]])
    return network


@pytest.fixture
def pixels(data):
    """Bright pixels of class 1, dark ones of class 0, in the validation part."""
    images = torch.tensor([0, 60, 200, 255], dtype=torch.uint8).view(4, 1, 1, 1)
    half = torch.tensor([0.5])
    part = ImageSet(images, torch.tensor([0, 0, 1, 1]))
    return replace(data, train=part, validation=part, mean=half, std=half)


@pytest.mark.parametrize(
    ("greedy", "weights", "expected"),
    [
        (False, (-3, 0.5, 1), -0.5),
        (True, (-3, 0.5, 1), 0.75),
        (True, (-3, 0.5, 7), 1.5),
        (True, (-1, -2), -1.5),
        (True, (4, -2), 1),
    ],
)
def test_the_soup_by_hand(greedy, weights, expected, pixels):
    """All right with a weight above 0, all wrong below: -3 would turn the mean of 0.5 and 1.

    It does not turn that of 0.5 and 7. Where all are wrong none is worse, and 4 and -2 have a mean
    of 1, which is right.
    """
    soup = Soup(member(0.0), 1, greedy)
    for weight in weights:
        soup.add(member(float(weight)))
    soup.stir(pixels, 4)
    assert soup.network[1].weight[1].item() == pytest.approx(expected)


def tiled(rates, members=2):
    lr, momentum = (np.tile(each, members) for each in (rates.lr, rates.momentum))
    return Rates(lr, momentum, rates.steps_per_epoch)


@pytest.fixture
def cooked(begin, masked, rates):
    """Return a function that begins a soup of two members, of a network half pruned."""

    def make(reestimated=False, greedy=False, **parts):
        net, masks = deepcopy(masked)
        net[4].p = 0.0
        soup = Soup(deepcopy(net), 4, greedy, reestimated)
        whole = {"rates": tiled(rates), "masks": masks, "extras": Extras(soup=soup), **parts}
        return begin(network=net, **whole)

    return make


@pytest.fixture
def alone(begin, masked, rates):
    """Return a function that trains one member without a soup."""

    def train(number):
        net, masks = deepcopy(masked)
        net[4].p = 0.0
        run = begin(network=net, masks=masks, rates=tiled(rates), epoch=4 * number)
        return run, [run.advance() for _ in range(4)]

    return train


def test_members_are_runs_of_their_own_from_one_start_and_the_result_their_mean(cooked, alone):
    run, (one, two) = cooked(), (alone(number) for number in (0, 1))
    assert [run.advance() for _ in range(8)] == one[1] + two[1]
    states = [other.network.state_dict() for other, _ in (one, two)]
    assert not torch.equal(*(state["5.weight"] for state in states))
    found = run.result.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in mean(states).items())
    for name, mask in run.masks.items():
        weight = run.result.get_parameter(name)
        assert not weight[~mask].any()
        assert weight[mask].all()


def test_a_member_of_adamw_starts_without_slots_too(cooked, begin, other_recipe):
    run = cooked(recipe=other_recipe)
    for _ in range(4):
        run.advance()
    assert run.optimizer.state()["updates"] == 12
    run.advance()
    assert run.optimizer.state()["updates"] == 3


def test_the_history_is_the_members_and_where_one_ends_the_soup_so_far(cooked, alone, tmp_path):
    run = cooked()
    history = fit(run, tmp_path, "run", 0)
    other = alone(0)[0]
    assert [row["epoch"] for row in history.rows] == [*range(1, 9)]
    assert history.rows[3]["test_accuracy"] == other.accuracy(other.data.test)
    assert history.rows[7]["test_accuracy"] == run.accuracy(run.data.test)
    assert len(run.extras.soup.members) == 2


LOW, LATE, EARLY = [1.0] * 8, [1.0] * 6 + [50.0] * 2, [1.0] * 2 + [50.0, 60.0] + [1.0] * 4
BACK = [50.0, 50.0, 1.0, 1.0] * 2


@pytest.mark.parametrize(
    ("losses", "accuracy", "greedy", "epoch"),
    [
        (LOW, 0.0, False, None),
        (EARLY, 0.0, False, 3),
        (LATE, 0.0, False, 7),
        (BACK, 0.0, False, None),
        (EARLY, 1.0, False, 4),
        (EARLY, 0.0, True, None),
        (LATE, 0.0, True, 7),
        (LATE, 1.0, True, None),
    ],
)
def test_a_soup_of_all_has_diverged_where_one_of_its_two_members_ends_exploded(
    losses, accuracy, greedy, epoch, cooked, tmp_path, monkeypatch
):
    """Greed leaves such a member out. A member's last accuracy is the soup's: its loss decides."""
    own, advance = iter(losses), Run.advance
    monkeypatch.setattr(Run, "advance", lambda self: advance(self) * 0 + next(own))
    monkeypatch.setattr(Run, "accuracy", lambda self, images: accuracy)
    found = fit(cooked(greedy=greedy), tmp_path, "run", 0).diverged
    assert (found and found.epoch) == epoch
    assert not found or found.loss == losses[epoch - 1]


def test_statistics_are_a_mean_or_estimated_anew_under_it(cooked):
    kept, anew = cooked(), cooked(reestimated=True)
    for run in (kept, anew):
        for _ in range(8):
            run.advance()
    both = [each["1.running_mean"] for each in kept.extras.soup.members]
    torch.testing.assert_close(kept.result[1].running_mean, sum(both) / 2)
    expected = recalibrated(kept.result, kept.data, kept.compute.evaluation_batch_size)
    found = anew.result.state_dict()
    assert all(torch.equal(found[n], tensor) for n, tensor in expected.state_dict().items())


@pytest.mark.parametrize("done", [2, 4, 6, 8])
def test_a_soup_goes_on_from_its_state_to_the_same_bits(done, cooked, snapshot, same):
    whole, first, second = (cooked(reestimated=True, greedy=True) for _ in range(3))
    for _ in range(8):
        whole.advance()
    for _ in range(done):
        first.advance()
    second.restore(snapshot(first), done)
    for _ in range(8 - done):
        second.advance()
    assert same(snapshot(second), snapshot(whole))
    found = second.result.state_dict()
    assert all(torch.equal(found[n], t) for n, t in whole.result.state_dict().items())


def test_replayed_epochs_of_a_soup_are_the_eager_ones_to_the_bit(cooked, recorded, snapshot, same):
    eager, graphed = cooked(), cooked()
    losses = [eager.advance() for _ in range(8)]
    replaying(graphed)
    assert [graphed.advance() for _ in range(8)] == losses
    assert same(snapshot(graphed), snapshot(eager))
    assert recorded == [graphed.step]


def test_the_optimizer_of_a_soup_trains_what_the_network_holds(cooked):
    run = cooked()
    assert isinstance(run.optimizer, Optimizer)
    for _ in range(5):
        run.advance()
    held = [*map(id, run.optimizer.parameters)]
    assert held == [id(parameter) for parameter in run.network.parameters()]
