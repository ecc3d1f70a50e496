from dataclasses import replace

import pytest
import torch

from stages.params.compute import Compute
from stages.params.model import Model
from stages.training.dense import Dense, go_to, save_checkpoint


@pytest.fixture
def dense(recipe, curve):
    model = Model(code="stages/models/resnet.py", factory="resnet8", options={"width": 2})
    return Dense(model, recipe, curve, Compute(), seed=5)


@pytest.fixture
def trained(dense, data, snapshot, tmp_path):
    """The states of training at epochs 0..E, and a folder with a checkpoint of each."""
    run = dense.begin(0, data)
    states = [snapshot(run)]
    while run.epoch < run.curve.epochs:
        run.advance()
        states.append(snapshot(run))
        save_checkpoint(tmp_path / "all", run)
    return states, tmp_path / "all"


@pytest.mark.parametrize("every", [1, 2, 3, 9])
def test_every_epoch_is_reached_to_the_bit_whatever_was_kept(
    every, trained, dense, data, snapshot, same, tmp_path
):
    states, whole = trained
    kept = tmp_path / "kept"
    kept.mkdir()
    for epoch in range(every, len(states), every):
        name = f"epoch_{epoch:04d}.safetensors"
        (kept / name).hardlink_to(whole / name)
    for epoch, state in enumerate(states):
        run = dense.begin(0, data)
        go_to(run, epoch, kept)
        assert same(snapshot(run), state)
        assert run.epoch == epoch


@pytest.mark.parametrize(("epoch", "expected"), [(2, []), (3, [2]), (4, [])])
def test_only_what_no_checkpoint_holds_is_trained_again(
    epoch, expected, trained, dense, data, monkeypatch
):
    run = dense.begin(0, data)
    epochs, advance = [], type(run).advance
    monkeypatch.setattr(
        type(run), "advance", lambda self: epochs.append(self.epoch) or advance(self)
    )
    (trained[1] / "epoch_0003.safetensors").unlink()
    go_to(run, epoch, trained[1])
    assert epochs == expected


def test_a_replicate_is_a_seed(dense, data, snapshot, same):
    first = snapshot(dense.begin(2, data))
    assert same(first, snapshot(replace(dense, seed=7).begin(0, data)))
    assert not same(first, snapshot(dense.begin(1, data)))
    assert dense.begin(2, data).seed == 7


def test_the_weights_at_epoch_0_do_not_depend_on_what_was_drawn_before(dense, data, snapshot, same):
    torch.manual_seed(0)
    first = snapshot(dense.begin(0, data))
    torch.manual_seed(1)
    assert same(first, snapshot(dense.begin(0, data)))


def test_the_network_fits_the_data(dense, data):
    spec = dense.spec(data)
    assert (spec.num_classes, spec.in_channels) == (3, 1)
    assert dense.begin(0, data).network.fc.out_features == 3
