"""Training over two processes, against the same training in one."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stages.images.augmentations.registry import AUGMENTATIONS
from stages.images.normalise import normalise
from stages.pipeline.fault import Fault
from stages.pipeline.recovery import PROGRESS
from stages.replicates import ranks
from stages.schedules.rates import Rates
from stages.training.fit import fit
from stages.training.loop import Run
from stages.training.settings import Recipe
from stages.training.tables import Tables, epoch_tables
from tests.training.test_step import Elsewhere

SHAPE = (26, 1, 6, 6)
PLAIN = Recipe(batch_size=8)
SLOTS = ("network", "velocity")


@pytest.fixture
def group_norm():
    """A small network without BatchNorm and dropout: its gradient is a mean over images."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, bias=False),
            nn.GroupNorm(2, 4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, 3),
        )


@pytest.fixture
def trained(on_ranks):
    """Return a function that trains a run to its end over devices, and each rank's end of it."""

    def train(run, devices=2):
        def task():
            losses = [run.advance() for _ in range(run.rates.epochs)]
            return {**run.state(), "losses": np.array(losses)}

        return on_ranks(task, devices)

    return train


@pytest.mark.parametrize("which", ["recipe", "other_recipe", "clipped_recipe"])
def test_two_devices_end_where_one_does(which, begin, group_norm, trained, same, close, request):
    recipe = request.getfixturevalue(which)
    (alone,) = trained(begin(network=group_norm, recipe=recipe), devices=1)
    first, second = trained(begin(network=group_norm, recipe=recipe))
    close(first, alone)
    assert same(first, second)
    assert not same(first, alone)


def test_masked_weights_stay_zero_on_two_devices(begin, group_norm, trained, same, close):
    chance = torch.Generator().manual_seed(5)
    masks = {}
    for name in ("0.weight", "4.weight"):
        weight = group_norm.get_parameter(name)
        masks[name] = torch.rand(weight.shape, generator=chance) < 0.5
        weight.data.mul_(masks[name])
    (alone,) = trained(begin(network=group_norm, masks=masks), devices=1)
    first, second = trained(begin(network=group_norm, masks=masks))
    close(first, alone)
    assert same(first, second)
    for name, mask in masks.items():
        for slot in SLOTS:
            assert not first[f"{slot}/{name}"][~mask.numpy()].any()
            assert first[f"{slot}/{name}"][mask.numpy()].all()


def test_bfloat16_and_channels_last_end_alike_on_all_devices(begin, group_norm, trained, same):
    network = group_norm.to(memory_format=torch.channels_last)
    compute = begin().compute.model_copy(update={"precision": "bfloat16", "channels_last": True})
    first, second = trained(begin(network=network, compute=compute))
    assert same(first, second)


@pytest.mark.parametrize("devices", [2, 4])
def test_a_second_run_gives_the_same_bits(devices, begin, network, trained, same):
    first, again = (trained(begin(network=network()), devices)[0] for _ in range(2))
    assert same(first, again)


def test_the_gradient_is_that_of_distributed_data_parallel(begin, network, on_ranks):
    """That halves the gradients and adds them, ours adds and halves: exact, so the same bits."""
    index = epoch_tables(SHAPE, PLAIN, 3, 2, 0).images[0]

    def gradients(network, forward, data):
        part = index.chunk(2)[ranks.number()]
        output = forward(normalise(data.train.images[part], data.mean, data.std))
        nn.functional.cross_entropy(output, data.train.labels[part]).backward()
        return [parameter.grad for parameter in network.parameters()]

    def both():
        run = begin(network=network(dropout=0))
        ours = gradients(run.network, run.network, run.data)
        ranks.average(ours)
        other = network(dropout=0)
        theirs = gradients(other, DistributedDataParallel(other), run.data)
        return {
            f"{kind} {i}": gradient.numpy()
            for kind, each in (("ours", ours), ("theirs", theirs))
            for i, gradient in enumerate(each)
        }

    for rank in on_ranks(both):
        for name in [name for name in rank if name.startswith("ours")]:
            assert np.array_equal(rank[name], rank[name.replace("ours", "theirs")])


def test_the_loss_is_the_mean_over_devices(begin, data, group_norm, trained):
    still = Rates(np.zeros(3), np.zeros(3), 3)
    index = epoch_tables(SHAPE, PLAIN, 3, 2, 0).images.flatten()
    output = group_norm(normalise(data.train.images[index], data.mean, data.std))
    expected = nn.functional.cross_entropy(output, data.train.labels[index]).item()
    for rank in trained(begin(network=group_norm, recipe=PLAIN, rates=still)):
        assert rank["losses"] == pytest.approx([expected], rel=1e-6)


def test_statistics_of_batchnorm_are_those_of_the_leaders_share(begin, data, network, trained):
    still = Rates(np.zeros(3), np.zeros(3), 3)
    run = begin(network=network(dropout=0), recipe=PLAIN, rates=still)
    share = epoch_tables(SHAPE, PLAIN, 3, 2, 0).images[:, :4]
    expected = torch.zeros(4)
    for index in share:
        maps = run.network[0](normalise(data.train.images[index], data.mean, data.std))
        expected = 0.9 * expected + 0.1 * maps.detach().mean((0, 2, 3))
    first, second = trained(run)
    np.testing.assert_allclose(first["network/1.running_mean"], expected, rtol=1e-5, atol=1e-7)
    assert not np.allclose(second["network/1.running_mean"], expected, rtol=1e-2)


def test_devices_draw_chance_of_their_own(begin, on_ranks):
    """With the same dropout on each, an image's mask would depend on its place in the share."""
    run = begin()

    def seed():
        run.advance()
        return {"seed": np.array(torch.initial_seed(), np.uint64)}

    first, second = (rank["seed"] for rank in on_ranks(seed))
    (alone,) = (rank["seed"] for rank in on_ranks(seed, devices=1))
    assert (first, second) == (alone, alone + 1)


def test_a_share_is_the_same_images_changed_in_the_same_way(data):
    """Every augmentation's table has the batch last: a share of it changes a share of the batch."""
    steps, batch = 3, 8
    for kind in AUGMENTATIONS.values():
        one = kind(pad=1) if "pad" in kind.model_fields else kind()
        table = torch.from_numpy(one.draw(np.random.default_rng(0), (steps, batch), SHAPE[2:]))
        index = torch.arange(steps * batch).view(steps, batch)
        whole = Tables(index, [table])
        shares = [whole.share(number, 2) for number in (0, 1)]
        for step in range(steps):
            changed = [
                one.apply(data.train.images[each.images[step]], each.augmentations[0][step])
                for each in (whole, *shares)
            ]
            assert torch.equal(changed[0], torch.cat(changed[1:]))


def test_images_that_are_fed_are_those_of_the_share(begin, data, network, trained, same):
    """As images that do not fit a GPU are: batch by batch."""
    away = replace(data, train=replace(data.train, images=data.train.images.as_subclass(Elsewhere)))
    (here, _), (fed, _) = (trained(begin(network=network(), data=each)) for each in (data, away))
    assert same(here, fed)


@pytest.mark.parametrize("devices", [2, 3])
def test_a_killed_run_goes_on_to_the_same_bits(
    devices, begin, network, tmp_path, monkeypatch, same, on_ranks
):
    """On three devices a sum has an order; the statistics of BatchNorm differ between devices."""
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    recipe = Recipe(batch_size=6, augment={"flip": {}})
    rates = Rates(np.full(16, 0.1), np.full(16, 0.9), 4)

    def fitted(folder):
        run = begin(network=network(), recipe=recipe, rates=rates)
        history = fit(run, tmp_path / folder, "dense", 0)
        return {**run.state(), **(history.columns() if ranks.leads() else {})}

    def killed():
        advance = Run.advance

        def dying(run):
            if run.epoch == 2 and ranks.number() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return advance(run)

        monkeypatch.setattr(Run, "advance", dying)
        return fitted("killed")

    whole = on_ranks(lambda: fitted("whole"), devices)
    with pytest.raises(Fault, match="device 1: its process ended with exit code -9"):
        on_ranks(killed, devices)
    assert list((tmp_path / "killed").glob(PROGRESS))
    assert same(on_ranks(lambda: fitted("killed"), devices)[0], whole[0])


def test_the_leader_alone_evaluates(begin, tmp_path, monkeypatch, on_ranks):
    asked = []
    monkeypatch.setattr(Run, "accuracy", lambda run, images: asked.append(1) or 0.5)
    run = begin()

    def count():
        history = fit(run, tmp_path / "work", "dense", 0)
        return {"asked": np.array(len(asked)), "rows": np.array(len(history.rows))}

    first, second = on_ranks(count)
    assert (first["asked"], first["rows"]) == (8, 4)
    assert (second["asked"], second["rows"]) == (0, 0)
