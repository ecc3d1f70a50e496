"""What a pruning sees, and what it leaves in files."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stages.evaluation.cost import cost
from stages.evaluation.outcome import load_outcome, outcome_file
from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.files import load_arrays, read_json, read_meta
from stages.pruning.distance import distance
from stages.pruning.method import Allocation, Method
from stages.pruning.prune import Pruned, prune
from stages.pruning.replicate import Task, prune_replicate
from stages.pruning.settings import Calibration
from stages.pruning.step import (
    apply,
    calibration_batches,
    composed,
    since,
    sizes,
    write_pruned,
)
from stages.replicates.seeds import PRUNE, stream_seed
from stages.replicates.settings import Compute
from tests.training.conftest import data, image_set

__all__ = ["data", "image_set"]

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 3, 1)
SHAPE = (1, 6, 6)
FILTERS = Method("filter", "l1", Allocation("uniform", {"ratio": 0.5}))
WEIGHTS = Method("weight", "magnitude", Allocation("global", {"sparsity": 0.5}))
CHANCE = Method("weight", "random", Allocation("global", {"sparsity": 0.5}))
EXPLORING = Method("weight", "snip", Allocation("global", {"sparsity": 0.5}))


def test_criteria_see_a_sample_of_the_training_images_in_batches(data):
    """Drawn without replacement from (seed, stream of pruning), normalised, not augmented."""
    batches = calibration_batches(data, Calibration(batches=3, batch_size=4), seed=5)
    order = np.random.default_rng([5, PRUNE]).permutation(26)[:12].reshape(3, 4)
    assert len(batches) == 3
    for (images, labels), index in zip(batches, order, strict=True):
        expected = (data.train.images[index].float() / 255 - 0.45) / 0.2
        torch.testing.assert_close(images, expected, rtol=1e-5, atol=1e-5)
        assert labels.tolist() == data.train.labels[index].tolist()


def test_another_seed_sees_other_images(data):
    calibration = Calibration(batches=1, batch_size=8)
    (one, _), (other, _) = (calibration_batches(data, calibration, seed)[0] for seed in (0, 1))
    assert not torch.equal(one, other)


def test_a_small_training_set_is_seen_whole(data):
    batches = calibration_batches(data, Calibration(batches=8, batch_size=16), seed=0)
    assert [len(labels) for _, labels in batches] == [16, 10]


def test_a_second_pruning_counts_from_what_the_first_left():
    first = {"a": {0: np.array([1, 3, 5])}, "b": {1: np.array([0, 2])}}
    then = {"a": {0: np.array([0, 2]), 1: np.array([4])}, "c": {0: np.array([7])}}
    found = composed(first, then)
    listed = {
        name: {dim: index.tolist() for dim, index in dims.items()} for name, dims in found.items()
    }
    assert listed == {"a": {0: [1, 5], 1: [4]}, "b": {1: [0, 2]}, "c": {0: [7]}}
    assert first["a"][0].tolist() == [1, 3, 5]
    assert first["a"].keys() == {0}


def test_what_a_second_pruning_kept_is_found_from_the_first_and_the_whole():
    first = {"a": {0: np.array([1, 5, 3])}, "b": {1: np.array([0, 2])}}
    then = {"a": {0: np.array([2, 1]), 1: np.array([4])}, "c": {0: np.array([7])}}
    found = since(first, composed(first, then))
    listed = {
        name: {dim: index.tolist() for dim, index in dims.items()} for name, dims in found.items()
    }
    assert listed == {"a": {0: [2, 1], 1: [4]}, "b": {1: [0, 1]}, "c": {0: [7]}}


def test_weights_are_silenced_in_a_copy():
    network = nn.Sequential(nn.Linear(2, 1, bias=False))
    network[0].weight.data = torch.tensor([[2.0, 3.0]])
    smaller = apply(network, Pruned(masks={"0.weight": torch.tensor([[False, True]])}))
    assert smaller[0].weight.tolist() == [[0.0, 3.0]]
    assert network[0].weight.tolist() == [[2.0, 3.0]]


def test_sizes_are_those_of_what_is_left():
    """|(3, 4, 0, 0) - (0, 4, 0, 0)| / 5 is 0.6; a mask of one of two weights is not a parameter."""
    before = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    before[1].weight.data = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
    after = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    after[1].weight.data = torch.tensor([[0.0, 4.0, 0.0, 0.0]])
    pruned = Pruned(widths={"1": 1}, sparsity=0.75, fraction=0.5)
    assert sizes(before, after, pruned, (1, 2, 2)) == {
        "parameters": 4,
        "nonzero": 1,
        "macs": 4,
        "distance": pytest.approx(0.6),
        "fraction_pruned": 0.5,
        "sparsity": 0.75,
        "widths": {"1": 1},
    }


def test_files_of_filters_hold_the_smaller_network_and_the_indices_that_stayed(tmp_path):
    network = build(SPEC, 0)
    pruned = prune(network, [], FILTERS, torch.Generator(), SHAPE)
    smaller = apply(network, pruned)
    write_pruned(tmp_path, "replicate_0", smaller, SPEC, pruned.kept, {})
    back = compact.load(tmp_path / "networks/replicate_0.safetensors").state_dict()
    assert back.keys() == smaller.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in smaller.state_dict().items())
    assert compact.read_spec(tmp_path / "networks/replicate_0.safetensors") == SPEC
    file = tmp_path / "masks/replicate_0.safetensors"
    assert read_meta(file) == {"granularity": "filter"}
    kept = compact.nested(load_arrays(file))
    assert kept.keys() == pruned.kept.keys()
    assert all(
        np.array_equal(kept[name][dim], index)
        for name, dims in pruned.kept.items()
        for dim, index in dims.items()
    )


def test_files_of_weights_hold_the_masks(tmp_path):
    network = build(SPEC, 0)
    pruned = prune(network, [], WEIGHTS, torch.Generator(), SHAPE)
    write_pruned(tmp_path, "replicate_0", apply(network, pruned), SPEC, {}, pruned.masks)
    file = tmp_path / "masks/replicate_0.safetensors"
    assert read_meta(file) == {"granularity": "weight"}
    masks = load_arrays(file)
    assert masks.keys() == pruned.masks.keys()
    assert all(np.array_equal(masks[name], mask) for name, mask in pruned.masks.items())


@pytest.fixture
def replicate(tmp_path, data):
    """Return a function that prunes replicate 3 of a dense network in a file."""
    dense = tmp_path / "dense.safetensors"
    compact.save(dense, build(SPEC, 0), SPEC)

    def start(method, seed=10):
        task = Task(
            method,
            Calibration(batches=2, batch_size=5),
            Compute(device="cpu", evaluation_batch_size=7),
            seed,
            tmp_path / "pruned",
            tmp_path / "outcomes",
        )
        prune_replicate(task, dense, 3, data)
        return tmp_path

    return start


def test_a_replicate_leaves_network_masks_sizes_and_outcome(replicate, data):
    folder = replicate(FILTERS)
    dense = build(SPEC, 0)
    network = compact.load(folder / "pruned/networks/replicate_3.safetensors")
    about = read_json(folder / "pruned/sizes/replicate_3.json")
    left, whole = cost(network, SHAPE), cost(dense, SHAPE)
    assert (about["parameters"], about["macs"]) == (left.parameters, left.macs)
    assert about["dense_macs"] == whole.macs > left.macs
    assert about["sparsity"] == pytest.approx(1 - left.parameters / whole.parameters)
    moved = distance(dict(dense.named_parameters()), dict(network.named_parameters()))
    assert about["distance"] == pytest.approx(moved)
    assert read_meta(folder / "pruned/masks/replicate_3.safetensors") == {"granularity": "filter"}
    outcome = load_outcome(outcome_file(folder / "outcomes", 3))
    assert outcome.logits.keys() == {"pruned", "recalibrated"}
    assert outcome.macs == left.macs
    assert math.isclose(outcome.lr_scale, 1)


@pytest.mark.parametrize("method", [CHANCE, EXPLORING], ids=lambda method: method.criterion)
def test_chance_and_the_images_seen_follow_from_the_seed_of_the_replicate(method, replicate, data):
    """Replicate 3 of seed 10 is seed 13, at round 1 of the stream of pruning."""
    masks = load_arrays(replicate(method) / "pruned/masks/replicate_3.safetensors")
    order = np.random.default_rng([13, PRUNE]).permutation(26)[:10]
    images = (data.train.images[order].float() / 255 - 0.45) / 0.2
    batches = list(zip(images.split(5), data.train.labels[order].split(5), strict=True))
    generator = torch.Generator().manual_seed(stream_seed(13, PRUNE, 1))
    expected = prune(build(SPEC, 0), batches, method, generator, SHAPE).masks
    assert all(np.array_equal(masks[name], mask) for name, mask in expected.items())
    other = load_arrays(replicate(method, 11) / "pruned/masks/replicate_3.safetensors")
    assert not all(np.array_equal(masks[name], other[name]) for name in masks)
