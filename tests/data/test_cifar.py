import hashlib
import os
import pickle
import tarfile

import numpy as np
import pytest

from stages.data.sources.cifar import cifar10, cifar100
from stages.pipeline.fault import Fault

datasets = pytest.importorskip("torchvision.datasets")


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A CIFAR-10 of two training batches and a test batch, and its archive in `archived/`."""
    folder = tmp_path / "root" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        data = rng.integers(0, 256, (4, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": [0, 1, 2, 1]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["cat", "dog", "owl"]}))
    sums = {path.name: md5(path) for path in folder.iterdir()}
    archive = tmp_path / "archived" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums.pop("batches.meta")}
    test = [["test_batch", sums.pop("test_batch")]]
    monkeypatch.setattr(
        datasets.CIFAR10, "train_list", [list(item) for item in sorted(sums.items())]
    )
    monkeypatch.setattr(datasets.CIFAR10, "test_list", test)
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive))
    return tmp_path / "root"


def test_the_folder_is_read_channels_first(root):
    raw = cifar10(root, root / "none")
    batch = (root / "cifar-10-batches-py" / "data_batch_1").read_bytes()
    first = pickle.loads(batch)["data"]  # noqa: S301, written above
    assert raw.train_images.shape == (8, 3, 32, 32)
    assert (raw.train_images[:4].reshape(4, -1) == first).all()
    assert raw.test_labels.tolist() == [0, 1, 2, 1]
    assert raw.classes == ("cat", "dog", "owl")


def test_the_archive_gives_the_same_and_its_folder_stays_untouched(root):
    archived = root.parent / "archived"
    raw, same = cifar10(root, root / "none"), cifar10(archived, root / "none")
    assert (raw.train_images == same.train_images).all()
    assert [path.name for path in archived.iterdir()] == ["cifar-10-python.tar.gz"]


def test_a_damaged_archive_is_named_and_not_unpacked(root):
    archive = root.parent / "archived" / "cifar-10-python.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(Fault, match=f"^{archive}: missing or damaged"):
        cifar10(archive.parent, root / "none")


@pytest.mark.parametrize("name", ["data_batch_2", "test_batch", "batches.meta"])
def test_no_unverified_pickle_is_opened(root, name):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(root / "sprung"),)

    path = root / "cifar-10-batches-py" / name
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(Fault, match=f"^{path}: missing or damaged"):
        cifar10(root, root / "none")
    assert not (root / "sprung").exists()


def test_cifar100_uses_its_own_files(root):
    (root / "cifar-100-python").mkdir()
    with pytest.raises(Fault, match="cifar-100-python/train: missing or damaged"):
        cifar100(root, root / "none")
