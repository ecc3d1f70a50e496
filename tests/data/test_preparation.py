from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from stages.data import preparation
from stages.data.preparation import prepare
from stages.data.settings import DATA, Data
from stages.data.sources.raw import Raw
from stages.data.sources.registry import SOURCES, Source
from stages.images.prepared import load
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json, save_rows
from stages.pipeline.params import parse


def settings(**keys) -> Data:
    return parse(DATA, {"source": "digits", **keys}, "data")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(folder, name):
    return np.load(folder / f"{name}.npy")


@pytest.fixture
def made(tmp_path):
    """Return a function that prepares with some keys and returns the folder."""

    def make(**keys):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        prepare(settings(**keys), tmp_path / "downloads", folder)
        return folder

    return make


def test_training_and_test_images_of_two_sizes_are_a_fault(monkeypatch, tmp_path):
    raw = SOURCES["digits"].read(tmp_path, tmp_path)
    other = replace(raw, test_images=raw.test_images[:, :, 1:])
    source = Source(lambda root, downloads: other)
    monkeypatch.setitem(preparation.SOURCES, "digits", source)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    with pytest.raises(Fault) as fault:
        prepare(settings(root="mine"), tmp_path, tmp_path / "prepared")
    assert str(fault.value) == (
        "mine: training images are 1x8x8 and test images 1x7x8 (channels x height x width); "
        "they should be of one size"
    )
    assert not (tmp_path / "prepared").exists()


def test_twice_gives_the_same_bytes(made):
    first = content(made())
    kinds = {"images", "labels", "index"}
    parts = {"train", "validation", "test"}
    arrays = {f"{part}_{kind}.npy" for part in parts for kind in kinds}
    assert set(first) == {*arrays, "description.json"}
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
    data = load(folder)
    index = {part: read(folder, f"{part}_index") for part in ("train", "validation", "test")}
    assert data.train.images.shape == (720, 1, 8, 8)
    assert data.validation.images.shape == (180, 1, 8, 8)
    assert data.test.images.shape == (897, 1, 8, 8)
    assert data.train.images.dtype == torch.uint8
    assert data.train.labels.dtype == torch.int64
    both = np.concatenate([index["train"], index["validation"]])
    assert np.sort(both).tolist() == list(range(900))
    raw = SOURCES["digits"].read(folder, folder)
    for part, images, labels in (
        ("train", raw.train_images, raw.train_labels),
        ("validation", raw.train_images, raw.train_labels),
        ("test", raw.test_images, raw.test_labels),
    ):
        assert np.array_equal(getattr(data, part).images, images[index[part]])
        assert np.array_equal(getattr(data, part).labels, labels[index[part]])
    assert data.classes == 10


def test_blocks_of_any_size_give_the_same_bytes(made, monkeypatch):
    whole = content(made())
    monkeypatch.setattr(preparation, "BLOCK", 1000)
    assert content(made()) == whole


def test_images_are_mapped_and_not_copied(made):
    folder = made()
    data = load(folder)
    mapped = [m.path for m in psutil.Process().memory_maps() if str(folder) in m.path]
    assert sorted(Path(path).name for path in mapped) == sorted(
        f"{part}_images.npy" for part in ("train", "validation", "test")
    )
    del data


def test_images_that_are_replaced_stay_what_they_were_when_loaded(made):
    folder = made()
    data, before = load(folder), load(folder).train.images.clone()
    save_rows(folder / "train_images.npy", np.uint8, before.shape, [255 - before.numpy()])
    assert torch.equal(data.train.images, before)
    assert not torch.equal(load(folder).train.images, before)


@pytest.mark.parametrize("scarce", [True, False])
def test_images_larger_than_memory_are_said_to_be_read_from_disk(scarce, made, monkeypatch, capsys):
    memory = psutil.virtual_memory()._replace(available=100_000 if scarce else 200_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    folder = made()
    load(folder)
    load(folder, notify=True)
    line = (
        "the images take 0.0 GB, 0.0 GB of memory are free: "
        "they are read from disk as they are needed\n"
    )
    assert capsys.readouterr().err == 2 * scarce * line


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
        raw = digits.read(root, downloads)
        return replace(raw, test_images=255 - raw.test_images[:7], test_labels=raw.test_labels[:7])

    digits = SOURCES["digits"]
    monkeypatch.setitem(SOURCES, "digits", Source(other))
    changed = made(train_limit=300)
    one, two = (
        {name: text for name, text in content(folder).items() if name.startswith(("train", "val"))}
        for folder in (plain, changed)
    )
    assert len(one) == 6
    assert one == two
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
        (
            {"source": "digit"},
            r"data.source is 'digit'; did you mean 'digits'\? valid: arrays, cifar10, ",
        ),
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
    with pytest.raises(Fault, match=r"description.json: no such file"):
        load(tmp_path)


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


def retype(path):
    np.save(path, np.load(path).astype(np.int16))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, r"test_images\.npy: no such file; run `dvc repro`"),
        (shorten, r"test_images\.npy: not a readable \.npy file"),
        (
            lambda path: path.write_bytes(b"no array"),
            r"test_images\.npy: not a readable \.npy file",
        ),
        (retype, r"test_images\.npy: holds int16 \[897, 1, 8, 8\]; it should be uint8 \[897, 1"),
        (
            lambda path: np.save(path, np.load(path)[:5]),
            r"test_images\.npy: holds uint8 \[5, 1, 8, 8\]; it should be uint8 \[897, 1, 8, 8\]",
        ),
        (
            lambda path: np.save(path, np.array([{}]), allow_pickle=True),
            r"test_images\.npy: not a readable \.npy file",
        ),
    ],
)
def test_a_damaged_preparation_is_a_fault_of_one_line(damage, message, made):
    folder = made()
    damage(folder / "test_images.npy")
    with pytest.raises(Fault, match=message) as fault:
        load(folder)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("free", "resident"), [(10**9, True), (200_000, False)])
def test_images_too_large_for_a_gpu_stay_where_they_are(free, resident, made, monkeypatch, capsys):
    moved = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: moved.append(self.ndim) or self)
    load(made(), torch.device("cuda"), notify=True)
    assert moved.count(4) == 3 * resident
    assert moved.count(1) == 3 + 2
    assert (
        "they are sent to the GPU as they are needed" in capsys.readouterr().err
    ) is not resident
