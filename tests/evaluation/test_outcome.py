from dataclasses import replace

import numpy as np
import pytest

from stages.evaluation.moved import Moved
from stages.evaluation.outcome import (
    Outcome,
    load_outcome,
    outcome_file,
    read_divergence,
    read_outcomes,
    save_outcome,
)
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.training.divergence import Divergence


@pytest.fixture
def outcome():
    chance = np.random.default_rng(0)

    def draw(count):
        return chance.standard_normal((count, 3), dtype=np.float32)

    return Outcome(
        logits={
            "last": {"validation": draw(4), "test": draw(5)},
            "selected": {"validation": draw(4), "test": draw(5)},
        },
        parameters=123,
        nonzero=100,
        macs=4567,
        history={"epoch": np.array([1.0, 2.0]), "validation_accuracy": np.array([0.1, np.nan])},
        lr_scale=0.1 + 0.2,
        round_macs=(9000, 4567),
        file_bytes=890,
        moved=Moved(0.1 + 0.2, 0.25),
    )


def same(one, other):
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def test_an_outcome_comes_back_to_the_bit(outcome, tmp_path):
    save_outcome(tmp_path / "outcome.safetensors", outcome)
    back = load_outcome(tmp_path / "outcome.safetensors")
    numbers = ("parameters", "nonzero", "macs", "lr_scale", "round_macs", "file_bytes", "moved")
    assert [getattr(back, n) for n in numbers] == [getattr(outcome, n) for n in numbers]
    assert back.logits.keys() == outcome.logits.keys()
    for network, splits in outcome.logits.items():
        assert back.logits[network].keys() == splits.keys()
        assert all(same(back.logits[network][split], array) for split, array in splits.items())
    assert back.history.keys() == outcome.history.keys()
    assert all(same(back.history[name], column) for name, column in outcome.history.items())


def test_what_nothing_trained_has_no_history_and_says_so(outcome, tmp_path):
    bare = Outcome({"pruned": outcome.logits["last"]}, 123, 100, 4567)
    save_outcome(tmp_path / "a", bare)
    back = load_outcome(tmp_path / "a")
    assert (back.history, back.lr_scale, back.round_macs) == ({}, 1.0, ())
    assert (back.file_bytes, back.moved) == (None, None)


@pytest.mark.parametrize("loss", [None, 1e30])
def test_where_training_diverged_is_kept_without_logits(loss, outcome, tmp_path):
    diverged = replace(outcome, logits={}, diverged=Divergence(3, 0.1, loss, round=2))
    save_outcome(tmp_path / "a", diverged)
    back = load_outcome(tmp_path / "a")
    assert (back.logits, back.diverged) == ({}, diverged.diverged)
    assert read_divergence(tmp_path / "a") == diverged.diverged
    save_outcome(tmp_path / "b", outcome)
    assert read_divergence(tmp_path / "b") is None


def test_a_split_without_images_is_missing(outcome, tmp_path):
    logits = {"last": {"test": outcome.logits["last"]["test"]}}
    save_outcome(tmp_path / "a", replace(outcome, logits=logits))
    assert load_outcome(tmp_path / "a").logits["last"].keys() == {"test"}


def test_equal_outcomes_are_equal_files(outcome, tmp_path):
    turned = {name: outcome.logits[name] for name in reversed(outcome.logits)}
    save_outcome(tmp_path / "a", outcome)
    save_outcome(tmp_path / "b", replace(outcome, logits=turned))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_outcomes_of_a_folder_are_read_in_the_order_of_their_replicates(outcome, tmp_path):
    for number in range(11):
        save_outcome(outcome_file(tmp_path, number), replace(outcome, parameters=number))
    assert [found.parameters for found in read_outcomes(tmp_path, 11)] == list(range(11))
    assert len(read_outcomes(tmp_path, 3)) == 3


def test_a_missing_outcome_is_a_fault_that_names_it(tmp_path):
    with pytest.raises(Fault, match=r"replicate_0\.safetensors: no such file"):
        read_outcomes(tmp_path, 1)


@pytest.mark.parametrize("change", [{"parameters": None}, {"round_macs": None}, {"colour": 1}])
def test_another_version_is_a_fault(change, outcome, tmp_path):
    save_outcome(tmp_path / "a", outcome)
    whole = {**read_meta(tmp_path / "a"), **change}
    meta = {name: value for name, value in whole.items() if value is not None}
    save_arrays(tmp_path / "a", load_arrays(tmp_path / "a"), meta)
    with pytest.raises(
        Fault, match=r"/a: not an outcome of this version \(.*" + next(iter(change))
    ):
        load_outcome(tmp_path / "a")


def test_a_key_that_cannot_be_printed_is_one_line(outcome, tmp_path):
    save_outcome(tmp_path / "a", outcome)
    meta = {**read_meta(tmp_path / "a"), "\n\x1f": 1}
    save_arrays(tmp_path / "a", load_arrays(tmp_path / "a"), meta)
    with pytest.raises(Fault) as fault:
        load_outcome(tmp_path / "a")
    assert str(fault.value).isprintable()
