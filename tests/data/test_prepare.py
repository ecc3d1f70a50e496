from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.data.images import load
from stages.data.raw import Raw
from stages.data.sources import SOURCES
from stages.fault import Fault
from stages.files import load_arrays, read_json
from stages.params.data import DATA, Data
from stages.params.load import parse
from stages.prepare import prepare


def settings(**keys) -> Data:
    return parse(DATA, {"source": "digits", **keys}, "data")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def made(tmp_path):
    """Return a function that prepares with some keys and returns the folder."""

    def make(**keys):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        prepare(settings(**keys), tmp_path / "downloads", folder)
        return folder

    return make


def test_twice_gives_the_same_bytes(made):
    first = content(made())
    assert set(first) == {"images.safetensors", "description.json"}
    assert content(made()) == first
    assert content(made(seed=1)) != first


def test_the_description(made):
    about = read_json(made() / "description.json")
    mean, std = about.pop("mean"), about.pop("std")
    assert about == {
        "source": "digits",
        "classes": list("0123456789"),
        "channels": 1,
        "height": 8,
        "width": 8,
        "train": 810,
        "validation": 90,
        "test": 897,
    }
    assert [len(mean), len(std)] == [1, 1]


def test_loaded_sets_are_disjoint_and_complete(made):
    folder = made(validation=0.2)
    data, arrays = load(folder), load_arrays(folder / "images.safetensors")
    assert data.train.images.shape == (720, 1, 8, 8)
    assert data.validation.images.shape == (180, 1, 8, 8)
    assert data.test.images.shape == (897, 1, 8, 8)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.dtype == torch.int64
    both = np.concatenate([arrays["train_index"], arrays["validation_index"]])
    assert np.sort(both).tolist() == list(range(900))
    held = arrays["train_images"][arrays["validation_index"]]
    assert torch.equal(data.validation.images, torch.from_numpy(held))
    assert data.classes == 10


def test_statistics_are_of_the_training_part_alone(made):
    data = load(made(validation=0.3))
    pixels = data.train.images.double() / 255
    assert data.mean.tolist() == pytest.approx([pixels.mean().item()], rel=1e-6)
    assert data.std.tolist() == pytest.approx([pixels.std(correction=0).item()], rel=1e-6)
    assert data.mean.dtype == torch.float32


def test_without_validation_all_images_train(made):
    data = load(made(validation=0))
    assert len(data.train.labels) == 900
    assert data.validation.images.shape == (0, 1, 8, 8)


def test_limits_keep_a_stratified_part(made):
    data = load(made(train_limit=100, test_limit=50, validation=0.1))
    assert torch.bincount(data.train.labels).tolist() == [9] * 10
    assert torch.bincount(data.validation.labels).tolist() == [1] * 10
    assert len(data.test.labels) == 50


def test_a_limit_above_the_size_keeps_all(made):
    assert content(made(train_limit=5000)) == content(made())


def test_the_test_images_take_part_in_no_choice(made, monkeypatch):
    plain = made(train_limit=300)

    def other(root, downloads) -> Raw:
        raw = digits(root, downloads)
        return replace(raw, test_images=255 - raw.test_images[:7], test_labels=raw.test_labels[:7])

    digits = SOURCES["digits"]
    monkeypatch.setitem(SOURCES, "digits", other)
    changed = made(train_limit=300)
    for name in ("train_images", "train_labels", "train_index", "validation_index"):
        one, two = (load_arrays(f / "images.safetensors")[name] for f in (plain, changed))
        assert np.array_equal(one, two)
    one, two = (read_json(folder / "description.json") for folder in (plain, changed))
    assert (one["mean"], one["std"]) == (two["mean"], two["std"])
    assert two["test"] == 7


def test_options_reach_their_source(tmp_path):
    from PIL import Image

    for part in ("train", "test"):
        for name in ("ant", "bee"):
            (tmp_path / "raw" / part / name).mkdir(parents=True)
            Image.new("RGB", (9, 7), "red").save(tmp_path / "raw" / part / name / "0.png")
    keys = {"source": "folder", "root": str(tmp_path / "raw"), "size": 5, "channels": 1}
    prepare(settings(**keys, validation=0), tmp_path, tmp_path / "out")
    assert load(tmp_path / "out").train.images.shape == (2, 1, 5, 5)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source": "digit"}, r"data.source is 'digit'; did you mean 'digits'\? valid: cifar10, "),
        ({"validation": 0.9}, r"data.validation is 0.9; it should be less than 0.9"),
        ({"validation": -0.1}, r"data.validation is -0.1; it should be greater than or equal to 0"),
        ({"train_limit": 0}, r"data.train_limit is 0; it should be greater than or equal to 1"),
        ({"size": 32}, r"data.size is no known key; valid: root, seed, source"),
        ({"source": "folder", "channels": 2}, r"data.channels is 2"),
    ],
)
def test_bad_settings_are_one_line(keys, message):
    with pytest.raises(Fault, match=message) as fault:
        settings(**keys)
    assert "\n" not in str(fault.value)


def test_a_missing_preparation_is_a_fault(tmp_path):
    with pytest.raises(Fault, match=r"images.safetensors: no such file"):
        load(tmp_path)
