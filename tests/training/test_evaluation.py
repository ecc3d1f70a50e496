from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from stages.data.augment import normalise
from stages.data.images import ImageSet
from stages.files import load_arrays
from stages.training.evaluation import read_scores, write_logits
from stages.training.inference import logits


@pytest.fixture
def networks(network):
    return {"last": network(0), "selected": network(1)}


def test_scores_from_logits_are_those_of_the_networks(networks, data, tmp_path):
    write_logits(tmp_path / "logits", networks, data, batch_size=7)
    scores = read_scores(tmp_path / "logits", data)
    for name, network in networks.items():
        network.eval()
        for split in ("train", "validation", "test"):
            part = getattr(data, split)
            out = network(normalise(part.images, data.mean, data.std)).double()
            loss = F.cross_entropy(out, part.labels).item()
            correct = (out.argmax(1) == part.labels).sum().item() / len(part.labels)
            got = scores[name][split]
            assert got == {
                "accuracy": pytest.approx(correct, rel=1e-12),
                "loss": pytest.approx(loss, rel=1e-6),
            }


def test_an_empty_split_has_no_logits_and_no_scores(networks, data, tmp_path):
    empty = ImageSet(data.test.images[:0], data.test.labels[:0])
    bare = replace(data, validation=empty)
    write_logits(tmp_path / "logits", networks, bare, batch_size=7)
    scores = read_scores(tmp_path / "logits", bare)
    assert scores["last"]["validation"] is scores["selected"]["validation"] is None
    assert scores["last"]["train"]["accuracy"] > 0
    assert set(load_arrays(tmp_path / "logits")) == {
        f"{name}/{split}" for name in networks for split in ("train", "test")
    }


@pytest.mark.parametrize("batch_size", [1, 4, 26, 100])
def test_logits_are_those_of_one_batch_in_evaluation_mode(batch_size, network, data):
    net = network()
    images = data.train.images
    parts = logits(net, images, data.mean, data.std, batch_size)
    assert net.training
    whole = net.eval()(normalise(images, data.mean, data.std))
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    assert not parts.requires_grad
