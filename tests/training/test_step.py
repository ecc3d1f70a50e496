from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.images.prepared import ImageSet
from stages.replicates.precision import memory_format, placed
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates
from stages.training.step import Step
from stages.training.tables import Tables


class Elsewhere(torch.Tensor):
    """Images that say they lie on another device than the network."""

    @property
    def device(self):
        return torch.device("meta")


@pytest.fixture
def still():
    """Rates that move nothing, at four numbers that float32 holds exactly."""
    return Rates(np.array([0.0, 0.5, 0.25, 1.0]), np.array([0.5, 0.0, 0.75, 0.25]), 2)


@pytest.fixture
def step(begin, recipe, still, monkeypatch):
    """A step over two batches of two images, which records what the network and optimizer get."""
    run = begin()
    images = torch.arange(4 * 36, dtype=torch.uint8).view(4, 1, 6, 6)
    data = replace(run.data, train=ImageSet(images, torch.tensor([0, 1, 2, 0])))
    step = Step(
        run.network, run.optimizer, data, recipe.model_copy(update={"batch_size": 2}), Compute()
    )
    step.seen, step.rates_taken = [], []
    monkeypatch.setattr(
        step,
        "_augmented",
        lambda index, rows: step.seen.append([t.tolist() for t in (index, *rows)]) or images[index],
    )
    monkeypatch.setattr(
        run.optimizer, "step", lambda *rates: step.rates_taken.append([float(r) for r in rates])
    )
    return step


def test_a_step_reads_its_own_row_of_the_tables(step, still):
    index, crops, flips = (
        torch.tensor([[3, 0], [1, 2]]),
        torch.tensor([[[0, 1], [1, 1]], [[2, 1], [0, 2]]]),
        torch.tensor([[True, False], [False, False]]),
    )
    step.begin(Tables(index, [crops, flips]), still, 0)
    step()
    step()
    assert step.seen == [
        [[3, 0], [[0, 1], [1, 1]], [True, False]],
        [[1, 2], [[2, 1], [0, 2]], [False, False]],
    ]
    assert step.rates_taken == [[0.0, 0.5], [0.5, 0.0]]
    assert step.counter.item() == 2


def test_an_epoch_takes_its_part_of_the_rates_and_a_new_total(step, still):
    zeros = torch.zeros((2, 2), dtype=torch.int64)
    step.begin(Tables(zeros, []), still, 0)
    step()
    assert step.total > 0
    step.begin(Tables(zeros, []), still, 1)
    assert step.total == 0
    step()
    step()
    assert step.rates_taken[1:] == [[0.25, 0.75], [1.0, 0.25]]


def test_later_epochs_are_written_to_the_same_places(step, still):
    """A captured graph reads its tables where they were at capture."""
    ones = torch.ones((2, 2), dtype=torch.int64)
    step.begin(Tables(ones, [ones.bool()]), still, 0)
    places = [table.data_ptr() for table in step.tables]
    step.begin(Tables(2 * ones, [~ones.bool()]), still, 1)
    assert [table.data_ptr() for table in step.tables] == places
    assert torch.equal(step.tables[0], 2 * ones)
    assert not step.tables[1].any()


@pytest.mark.parametrize("which", ["recipe", "other_recipe"])
def test_images_that_lie_elsewhere_train_to_the_same_bits(
    which, begin, data, snapshot, same, request
):
    recipe = request.getfixturevalue(which)
    away = replace(data, train=replace(data.train, images=data.train.images.as_subclass(Elsewhere)))
    here, fed = begin(recipe=recipe), begin(recipe=recipe, data=away)
    assert [fed.advance() for _ in range(4)] == [here.advance() for _ in range(4)]
    assert fed.step.fed
    assert not here.step.fed
    assert same(snapshot(fed), snapshot(here))


@pytest.mark.parametrize("layout", [True, False])
def test_weights_and_activations_lie_as_the_settings_say(layout, begin, network, data):
    compute = Compute(channels_last=layout)
    net = placed(network(), torch.device("cpu"), compute)
    net.insert(0, torch.nn.Conv2d(1, 1, 1))  # so that the next layer's input has more than it needs
    wanted = memory_format(compute)
    seen = []
    net[1].register_forward_hook(
        lambda _, __, out: seen.append(out.is_contiguous(memory_format=wanted))
    )
    run = begin(network=net, compute=compute)
    run.advance()
    assert seen == [True] * 3
    assert all(p.is_contiguous(memory_format=wanted) for p in net.parameters() if p.ndim == 4)
    assert all(
        b.stride() == p.stride()
        for b, p in zip(run.optimizer.buffers(), net.parameters(), strict=True)
    )


def test_the_layout_changes_no_more_than_the_last_bits(begin, network):
    runs = []
    for layout in (True, False):
        compute = Compute(channels_last=layout)
        net = placed(network(dropout=0), torch.device("cpu"), compute)
        run = begin(network=net, compute=compute)
        run.advance()
        runs.append(run.network.state_dict())
    for name, tensor in runs[0].items():
        torch.testing.assert_close(tensor, runs[1][name], rtol=1e-4, atol=1e-5)


def test_bfloat16_computes_layers_so_and_keeps_weights_and_loss_float32(begin, network):
    seen = []
    net = network(dropout=0)
    net[0].register_forward_hook(lambda _, __, out: seen.append(out.dtype))
    run = begin(network=net, compute=Compute(precision="bfloat16"))
    run.advance()
    assert seen == [torch.bfloat16] * 3
    assert {t.dtype for t in run.step.state()} == {torch.float32, torch.int64}
    run.accuracy(run.data.test)
    assert seen[3:] == [torch.float32]


def test_bfloat16_repeats_to_the_bit_and_is_near_float32(begin, network, snapshot, same):
    half = Compute(precision="bfloat16")
    runs = [begin(network=network(dropout=0), compute=c) for c in (half, half, Compute())]
    losses = [run.advance() for run in runs]
    assert same(snapshot(runs[0]), snapshot(runs[1]))
    assert losses[0] != losses[2]
    assert losses[0] == pytest.approx(losses[2], rel=0.02)
