"""Averages of weights: against torch's own, step by step, in whole runs."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from stages.pipeline.fault import Fault
from stages.training.averages import ema, swa
from stages.training.averaging import Averaging
from stages.training.extras import Extras
from stages.training.recalibration import recalibrated

STEPS = 12


def test_the_coefficients_of_a_mean_by_hand():
    assert swa(8, last=0.5).tolist() == [1, 1, 1, 1, 1, 1 / 2, 1 / 3, 1 / 4]
    assert swa(3, last=0.1).tolist() == [1, 1, 1]
    assert swa(4, last=1.0).tolist() == [1, 1 / 2, 1 / 3, 1 / 4]


def test_the_coefficients_of_a_moving_average_by_hand():
    """A horizon of half of 8 steps is 4 steps, a decay of 3/4."""
    assert ema(8, horizon=0.5).tolist() == [1, *[0.25] * 7]
    assert ema(4, horizon=0.1).tolist() == [1, 1, 1, 1]


CASES = {
    "ema": (ema(STEPS, horizon=0.5), get_ema_multi_avg_fn(1 - 1 / 6), 0),
    "swa": (swa(STEPS, last=0.5), get_swa_multi_avg_fn(), 6),
    "swa of all": (swa(STEPS, last=1.0), get_swa_multi_avg_fn(), 0),
}


@pytest.fixture
def averaged(begin, network, masked):
    """Return a function that begins a run with an average, of a network half pruned."""

    def make(coefficients, reestimated=False):
        own, masks = masked
        own = deepcopy(own)
        averaging = Averaging(deepcopy(own), coefficients, reestimated)
        return begin(network=own, masks=masks, extras=Extras(averaging=averaging))

    return make


@pytest.mark.parametrize("which", CASES)
def test_the_result_is_torchs_average_of_the_weights_after_every_step(which, averaged):
    """But for rounding: by 1e-5 of a weight, or 1e-7, as torch's mean is not a `lerp`."""
    coefficients, function, first = CASES[which]
    run = averaged(coefficients)
    reference = AveragedModel(run.network, multi_avg_fn=function)
    steps, step = [], run.optimizer.step

    def watched(*rates):
        step(*rates)
        if len(steps) >= first:
            reference.update_parameters(run.network)
        steps.append(rates)

    run.optimizer.step = watched
    for epoch in range(4):
        run.advance()
        if first <= 3 * epoch:
            pairs = zip(run.result.parameters(), reference.module.parameters(), strict=True)
            for ours, theirs in pairs:
                torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
    assert len(steps) == STEPS
    both = zip(run.result.parameters(), run.network.parameters(), strict=True)
    assert not all(torch.equal(*pair) for pair in both)


def test_weights_that_stand_still_are_their_own_average_to_the_bit(network):
    """Frozen ones do: rounding would move them a little at every step, all one way."""
    trained = network()
    averaging, weights = Averaging(deepcopy(trained), ema(500)), [*trained.parameters()]
    for coefficient in torch.from_numpy(ema(500)).float():
        averaging.update(trained, coefficient)
    pairs = zip(averaging.weights(), weights, strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


def test_until_the_mean_begins_it_is_the_trained_network_to_the_bit(averaged):
    run = averaged(swa(STEPS, last=0.25))
    for _ in range(3):
        run.advance()
    ours, trained = run.result.state_dict(), run.network.state_dict()
    assert all(torch.equal(ours[name], trained[name]) for name in trained)


def test_training_is_that_without_an_average_to_the_bit(averaged, begin, masked, snapshot, same):
    own, masks = masked
    alone, run = begin(network=deepcopy(own), masks=masks), averaged(ema(STEPS))
    assert [alone.advance() for _ in range(4)] == [run.advance() for _ in range(4)]
    trained = {k: v for k, v in snapshot(run).items() if not k.startswith("average/")}
    assert same(trained, snapshot(alone))


def test_pruned_weights_are_zero_in_the_average(averaged):
    run = averaged(ema(STEPS, horizon=1.0))
    for _ in range(4):
        run.advance()
        for name, mask in run.masks.items():
            weight = run.result.get_parameter(name)
            assert not weight[~mask].any()
            assert weight[mask].all()


def test_accuracy_and_the_history_are_those_of_the_average(averaged, data, tmp_path):
    from stages.training.fit import fit

    run = averaged(np.zeros(STEPS))
    with torch.no_grad():
        for parameter in run.result.parameters():
            parameter.zero_()
    history = fit(run, tmp_path, "run", 0)
    first = float((data.test.labels == 0).double().mean())
    assert [row["test_accuracy"] for row in history.rows] == [first] * 4
    assert not history.selected["5.weight"].any()


def test_statistics_are_kept_or_estimated_anew_under_the_average(averaged, data):
    kept, anew = averaged(ema(STEPS)), averaged(ema(STEPS), reestimated=True)
    for run in (kept, anew):
        run.advance()
    assert torch.equal(kept.result[1].running_mean, kept.network[1].running_mean)
    expected = recalibrated(kept.result, data, kept.compute.evaluation_batch_size)
    for name, tensor in expected.state_dict().items():
        assert torch.equal(anew.result.state_dict()[name], tensor), name
    assert not torch.equal(anew.result[1].running_mean, kept.result[1].running_mean)


def test_a_memory_that_is_full_as_statistics_are_estimated_names_their_batch(averaged, monkeypatch):
    def full(*of):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("stages.training.averaging.recalibrated", full)
    with pytest.raises(Fault, match=r"or lower compute\.evaluation_batch_size$"):
        averaged(ema(STEPS), reestimated=True).advance()


@pytest.mark.parametrize("reestimated", [False, True])
def test_a_run_goes_on_from_its_state_to_the_same_bits(reestimated, averaged, snapshot, same):
    whole, first, second = (averaged(ema(STEPS), reestimated) for _ in range(3))
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    second.restore(snapshot(first), 2)
    for _ in range(2):
        second.advance()
    assert same(snapshot(second), snapshot(whole))
