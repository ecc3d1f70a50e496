from dataclasses import replace

import pytest
import torch

from stages.dense.run import (
    DenseRun,
    check_converged,
    checkpoints_every,
    go_to,
    save_checkpoint,
    save_trained,
)
from stages.evaluation.measure import measure
from stages.evaluation.outcome import load_outcome
from stages.networks import compact
from stages.networks.settings import Model
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_meta
from stages.pipeline.manifest import Manifest
from stages.pipeline.recovery import PROGRESS, Work
from stages.replicates import ranks
from stages.replicates.replicate import Replicate
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates
from stages.training.divergence import Divergence
from stages.training.fit import fit


def unfinished(folder):
    return Work(Manifest(folder), finished=False, check=lambda: None)


@pytest.fixture
def dense(recipe, rates):
    model = Model(code="stages/models/resnet.py", factory="resnet8", options={"width": 2})
    return DenseRun(model, recipe, rates, Compute(device="cpu"), seed=5)


@pytest.fixture
def train(dense, data, tmp_path):
    """Return a function that trains and saves replicate 0 in a folder of its own."""

    def run(folder="work"):
        work = tmp_path / folder
        this = Replicate(0, data.mean.device, unfinished(work))
        begun = dense.begin(0, data)
        history = fit(begun, work, "dense", 0)
        save_trained(this, begun, dense.spec(data), history)
        return this, begun, history

    return run


@pytest.fixture
def trained(dense, data, snapshot, tmp_path):
    """The states of training at epochs 0..E, and a folder with a checkpoint of each."""
    run = dense.begin(0, data)
    states = [snapshot(run)]
    while run.epoch < run.rates.epochs:
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


def test_a_network_of_other_classes_is_refused_before_it_trains(dense, data, monkeypatch, tmp_path):
    code = tmp_path / "own.py"
    code.write_text(
        "from torch import nn\n"
        "def own(num_classes, in_channels):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(36 * in_channels, num_classes + 1))\n"
    )
    monkeypatch.chdir(tmp_path)
    other = replace(dense, model=Model(code="own.py", factory="own"))
    with pytest.raises(Fault, match=r"own of own\.py returns \[1, 4\] for one image; it should be"):
        other.begin(0, data)


def test_a_trained_replicate_is_its_network_and_the_outcome_of_that(train, dense, data, same):
    this, run, history = train()
    written = (f for part in (this.networks, this.outcome.parent) for f in part.rglob("*"))
    files = sorted(str(f.relative_to(this.folder)) for f in written if f.is_file())
    name = "replicate_0.safetensors"
    assert files == [f"networks/final/{name}", f"outcomes/{name}"]
    final = this.networks / "final" / name
    assert compact.read_spec(final) == dense.spec(data)
    for key, tensor in compact.load(final).state_dict().items():
        assert torch.equal(tensor, run.network.state_dict()[key]), key
    outcome = load_outcome(this.outcome)
    assert outcome.logits.keys() == {"final"}
    assert same(outcome.history, history.columns())
    assert same(
        outcome.logits["final"], measure({"final": final}, data, run.compute).logits["final"]
    )


def test_a_dense_run_that_diverges_is_a_fault_that_says_what_to_do():
    check_converged(3, None)
    with pytest.raises(Fault) as fault:
        check_converged(3, Divergence(2, 100.0, None))
    assert str(fault.value) == (
        "replicate 3: the dense network diverged in epoch 2, at learning rates up to 100 (mean "
        "loss not finite); all arms start from it, so nothing can follow: lower train.lr or change "
        "train.schedule"
    )


def test_a_repeated_run_says_where_it_diverged(dense, data, tmp_path, rates):
    assert go_to(dense.begin(0, data), 2, tmp_path) is None
    lr = rates.lr.copy()
    lr[3] = 1e39
    run = replace(dense, rates=Rates(lr, rates.momentum, rates.steps_per_epoch)).begin(0, data)
    assert go_to(run, 4, tmp_path) == Divergence(2, 1e39, None)


def test_twice_gives_the_same_files(train, monkeypatch):
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    one, other = train("one")[0], train("other")[0]
    for path in (file for file in one.folder.rglob("*") if file.is_file()):
        assert path.read_bytes() == (other.folder / path.relative_to(one.folder)).read_bytes()


def test_the_outcome_is_that_of_the_file_and_not_of_the_network_in_memory(train, monkeypatch):
    """What a damaged file would give is what is scored, so that it does not pass unseen."""

    def damaged(path, network, spec):
        with torch.no_grad():
            for tensor in network.state_dict().values():
                tensor.zero_()
        compact.save(path, network, spec)

    monkeypatch.setattr("stages.dense.run.save", damaged)
    logits = load_outcome(train()[0].outcome).logits["final"]
    assert not any(array.any() for array in logits.values())


def test_progress_is_kept_until_the_outcome_is_written(train, monkeypatch, tmp_path):
    def killed(path, outcome):
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    monkeypatch.setattr("stages.dense.run.save_outcome", killed)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert list((tmp_path / "work").glob(PROGRESS))


@pytest.mark.parametrize(("every", "kept"), [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3]), (5, [])])
def test_checkpoints_are_kept_at_every_multiple(every, kept, trained, dense, data, tmp_path):
    folder = tmp_path / "checkpoints" / "replicate_0"
    fit(dense.begin(0, data), tmp_path, "dense", 0, checkpoints_every(every, folder))
    names = [f"epoch_{epoch:04d}.safetensors" for epoch in kept]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        assert (folder / name).read_bytes() == (trained[1] / name).read_bytes()


def test_a_checkpoint_says_where_in_which_run_it_was_taken(trained):
    about = read_meta(trained[1] / "epoch_0003.safetensors")
    assert about == {"epoch": 3, "seed": 5, "stream": 0}


def test_checkpoints_of_two_devices_are_recomputed_to_the_bit_and_written_once(
    dense, data, on_ranks, tmp_path
):
    def whole():
        keep = checkpoints_every(1, tmp_path / "whole")
        fit(dense.begin(0, data), tmp_path / "progress", "dense", 0, keep)
        return {}

    def again():
        run = dense.begin(0, data)
        for epoch in (1, 3):
            go_to(run, epoch, tmp_path / "kept")
            save_checkpoint(tmp_path / "again" / f"{ranks.number()}", run)
        return {}

    on_ranks(whole)
    (tmp_path / "kept").mkdir()
    name = "epoch_0002.safetensors"
    (tmp_path / "kept" / name).hardlink_to(tmp_path / "whole" / name)
    on_ranks(again)
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["0"]
    for epoch in (1, 3):
        name = f"epoch_{epoch:04d}.safetensors"
        recomputed = tmp_path / "again" / "0" / name
        assert recomputed.read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_network_of_two_devices_is_written_by_one(dense, data, on_ranks, tmp_path):
    def train():
        folder = tmp_path / f"{ranks.number()}"
        this = Replicate(0, data.mean.device, unfinished(folder))
        run = dense.begin(0, data)
        save_trained(this, run, dense.spec(data), fit(run, tmp_path / "progress", "dense", 0))
        return {}

    on_ranks(train)
    assert load_outcome(tmp_path / "0" / "outcomes" / "replicate_0.safetensors").macs
    assert not (tmp_path / "1").exists()
