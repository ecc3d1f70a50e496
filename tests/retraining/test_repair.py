"""Re-estimating BatchNorm before training: what it changes, and that it trains nothing else."""

import pytest
import torch

from stages.pipeline.fault import Fault
from stages.training.recalibration import recalibrated


def statistics(network):
    return {name: t.clone() for name, t in network.named_buffers() if "running_" in name}


def test_before_training_the_network_has_the_statistics_of_the_training_images(begin_arm, data):
    plain, repaired = begin_arm(), begin_arm(repair="batchnorm")
    expected = recalibrated(plain.network, data, plain.compute.evaluation_batch_size)
    found = statistics(repaired.network)
    assert all(torch.equal(t, found[name]) for name, t in statistics(expected).items())
    assert not any(torch.equal(t, found[name]) for name, t in statistics(plain.network).items())
    assert repaired.accuracy(data.test) != plain.accuracy(data.test)


def test_a_memory_that_is_full_names_the_batch_of_the_repair(begin_arm, monkeypatch):
    def full(*of):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("stages.retraining.repair.recalibrated", full)
    with pytest.raises(Fault, match=r"or lower compute\.evaluation_batch_size$"):
        begin_arm(repair="batchnorm")


def test_retrained_weights_are_those_without_a_repair_to_the_bit(begin_arm):
    """In training mode BatchNorm takes the statistics of the batch: what it kept is not used."""
    plain, repaired = begin_arm(), begin_arm(repair="batchnorm")
    assert [plain.advance() for _ in range(4)] == [repaired.advance() for _ in range(4)]
    weights = dict(plain.network.named_parameters())
    for name, parameter in repaired.network.named_parameters():
        assert torch.equal(parameter, weights[name]), name
    slots = plain.optimizer.state()
    assert all(torch.equal(t, slots[name]) for name, t in repaired.optimizer.state().items())


def test_the_statistics_that_were_there_are_forgotten_as_training_goes_on(begin_arm):
    """Each step keeps nine tenths of them, BatchNorm's own momentum."""
    plain, repaired = begin_arm(), begin_arm(repair="batchnorm")

    def gap():
        both = (statistics(run.network)["bn1.running_mean"] for run in (plain, repaired))
        return float(torch.sub(*both).abs().max())

    before = gap()
    for run in (plain, repaired):
        run.advance()
    torch.testing.assert_close(gap(), before * 0.9**3, rtol=1e-3, atol=0)


def test_a_repair_keeps_pruned_weights_at_zero(begin_arm):
    run = begin_arm(repair="batchnorm")
    run.advance()
    ((name, mask),) = run.masks.items()
    assert not run.network.get_parameter(name)[~mask].any()
