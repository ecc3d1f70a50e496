import hashlib
from typing import get_args

import numpy as np
import pytest

from stages.data.sources.medmnist import Set, medmnist
from stages.data.sources.medmnist_sets import CLASSES, MD5
from stages.pipeline.fault import Fault

IMAGES = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A file of blood cells with five images, whose MD5 is taken for the published one."""
    labels = np.array([[3], [1], [0], [2], [1]], np.uint8)
    parts = {"train": slice(0, 2), "val": slice(2, 3), "test": slice(3, 5)}
    found = {f"{part}_images": IMAGES[rows] for part, rows in parts.items()}
    found |= {f"{part}_labels": labels[rows] for part, rows in parts.items()}
    np.savez(tmp_path / "bloodmnist_64.npz", **found)
    content = (tmp_path / "bloodmnist_64.npz").read_bytes()
    monkeypatch.setitem(MD5["bloodmnist"], 64, hashlib.md5(content).hexdigest())
    return tmp_path


def test_training_and_validation_images_are_one_part(root):
    raw = medmnist(root, root, set="bloodmnist", size=64)
    assert (raw.train_images == IMAGES[:3].transpose(0, 3, 1, 2)).all()
    assert (raw.train_labels.tolist(), raw.test_labels.tolist()) == ([3, 1, 0], [2, 1])
    assert raw.classes[0] == "basophil"


def test_a_file_of_another_md5_is_not_opened(root):
    path = root / "bloodmnist_64.npz"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Fault, match=rf"^{path}: damaged, or of another version \(its MD5 must be "):
        medmnist(root, root, set="bloodmnist", size=64)


def test_a_missing_file_is_named_with_where_to_find_it(tmp_path):
    with pytest.raises(Fault, match=r"/pathmnist.npz: no such file; put it there, from https://"):
        medmnist(tmp_path, tmp_path, set="pathmnist")


def test_every_set_has_its_classes_and_checksums():
    assert [*CLASSES] == [*MD5] == [*get_args(Set)]
    sums = [md5 for sizes in MD5.values() for md5 in sizes.values()]
    assert {len(md5) for md5 in sums} == {32}
    assert len({*sums}) == 4 * len(MD5)
    assert {name: len(classes) for name, classes in CLASSES.items()} == {
        **{"pathmnist": 9, "dermamnist": 7, "octmnist": 4, "pneumoniamnist": 2, "retinamnist": 5},
        **{"breastmnist": 2, "bloodmnist": 8, "tissuemnist": 8},
        **{"organamnist": 11, "organcmnist": 11, "organsmnist": 11},
    }
