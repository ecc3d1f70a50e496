from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.evaluation.cost import cost
from stages.evaluation.measure import measure, split_logits
from stages.evaluation.metrics import scores
from stages.images.normalise import normalise
from stages.images.prepared import ImageSet
from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.fault import Fault
from stages.pruning.replicate import measure_pruned
from stages.replicates.settings import Compute
from stages.training.recalibration import recalibrated

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 2}, 3, 1)
COMPUTE = Compute(device="cpu", evaluation_batch_size=7)


@pytest.fixture
def files(tmp_path):
    """Two saved networks of one size."""
    found = {}
    for seed, name in enumerate(("last", "selected")):
        found[name] = tmp_path / f"{name}.safetensors"
        compact.save(found[name], build(SPEC, seed), SPEC)
    return found


def same(one, other):
    return all(np.array_equal(one[split], other[split]) for split in ("validation", "test"))


def test_scores_of_an_outcome_are_those_of_the_networks(files, data):
    outcome = measure(files, data, COMPUTE)
    for seed, name in enumerate(files):
        network = build(SPEC, seed).eval()
        for split in ("validation", "test"):
            part = getattr(data, split)
            out = network(normalise(part.images, data.mean, data.std)).double()
            got = scores(outcome.logits[name][split], part.labels.numpy())
            correct = (out.argmax(1) == part.labels).sum().item() / len(part.labels)
            assert got["accuracy"] == pytest.approx(correct, rel=1e-12)
            loss = F.cross_entropy(out, part.labels).item()
            assert got["nll"] == pytest.approx(loss, rel=1e-6)


def test_the_training_images_are_not_measured(files, data):
    outcome = measure(files, data, COMPUTE)
    assert {frozenset(splits) for splits in outcome.logits.values()} == {
        frozenset({"validation", "test"})
    }


def test_an_empty_split_has_no_logits(files, data):
    empty = ImageSet(data.validation.images[:0], data.validation.labels[:0])
    outcome = measure(files, replace(data, validation=empty), COMPUTE)
    assert all(splits.keys() == {"test"} for splits in outcome.logits.values())


def test_logits_are_float32_of_images_by_classes(files, data):
    found = split_logits(compact.load(files["last"]), data, COMPUTE)
    assert {split: (a.dtype, a.shape) for split, a in found.items()} == {
        "validation": (np.float32, (12, 3)),
        "test": (np.float32, (15, 3)),
    }


def test_a_full_memory_names_the_batch_of_evaluation(files, data):
    def full(images):
        raise torch.OutOfMemoryError("CUDA out of memory")

    network = compact.load(files["last"])
    network.forward = full
    with pytest.raises(Fault, match=r", or lower compute\.evaluation_batch_size$"):
        split_logits(network, data, COMPUTE)


def test_the_size_is_that_of_the_first_network(files, data):
    compact.save(files["selected"], build(replace(SPEC, options={"width": 3}), 0), SPEC)
    outcome = measure(files, data, COMPUTE)
    first = cost(build(SPEC, 0), (1, 6, 6))
    assert (outcome.parameters, outcome.nonzero, outcome.macs) == (
        first.parameters,
        first.nonzero,
        first.macs,
    )


def test_the_size_of_the_file_is_that_of_the_first(files, data):
    files["selected"].write_bytes(files["last"].read_bytes())
    expected = files["last"].stat().st_size
    assert measure(files, data, COMPUTE).file_bytes == expected > 4 * 3


def test_how_the_networks_were_trained_is_handed_on(files, data):
    history = {"epoch": np.array([1.0])}
    outcome = measure(files, data, COMPUTE, history=history, lr_scale=0.5)
    assert (outcome.history, outcome.lr_scale, outcome.round_macs) == (history, 0.5, ())


def test_the_file_is_what_is_measured(files, data):
    before = measure(files, data, COMPUTE)
    network = build(SPEC, 0)
    network.get_parameter("fc.bias").data.add_(1)
    compact.save(files["last"], network, SPEC)
    after = measure(files, data, COMPUTE)
    assert not same(after.logits["last"], before.logits["last"])
    assert same(after.logits["selected"], before.logits["selected"])


def test_measuring_twice_gives_the_same_bits(files, data):
    one, other = (measure(files, data, COMPUTE) for _ in range(2))
    assert all(same(one.logits[name], other.logits[name]) for name in files)


def test_a_pruned_network_is_measured_raw_and_with_re_estimated_statistics(files, data):
    outcome = measure_pruned(files["last"], data, COMPUTE)
    assert same(outcome.logits["pruned"], measure(files, data, COMPUTE).logits["last"])
    again = recalibrated(compact.load(files["last"]), data, 7)
    assert same(outcome.logits["recalibrated"], split_logits(again, data, COMPUTE))
    assert not same(outcome.logits["recalibrated"], outcome.logits["pruned"])
    assert outcome.history == {}
