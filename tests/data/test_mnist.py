import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from stages.data.sources.mnist import FILES, fashion_mnist, mnist
from stages.data.sources.registry import SOURCES
from stages.pipeline.fault import Fault

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
IMAGES = np.arange(12 * 2 * 3, dtype=np.uint8).reshape(12, 2, 3)
LABELS = np.array([7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6], np.uint8)


def idx(array):
    return struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def sized(*sizes):
    """An idx file of IMAGES that says it has other sizes."""
    return struct.pack(">BBBB3i", 0, 0, 8, 3, *sizes) + IMAGES.tobytes()


@pytest.fixture
def root(tmp_path):
    for name, array in zip(FILES, (IMAGES, LABELS, IMAGES[::-1], LABELS), strict=True):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path


@pytest.fixture
def offline(monkeypatch):
    from torchvision import datasets

    def fail(*_, **__):
        print("noise of the download")
        raise RuntimeError("Error downloading:\nno route to host")

    for name in ("MNIST", "FashionMNIST", "CIFAR10", "CIFAR100"):
        monkeypatch.setattr(getattr(datasets, name), "download", fail)


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_gz_files_are_read_in_place(root):
    before = snapshot(root)
    raw = mnist(root, root / "none")
    assert (raw.train_images == IMAGES[:, None]).all()
    assert (raw.test_images == IMAGES[::-1][:, None]).all()
    assert (raw.test_labels == LABELS).all()
    assert raw.train_images.shape == (12, 1, 2, 3)
    assert raw.train_labels.dtype == np.int64
    assert snapshot(root) == before


def test_plain_files_in_torchvisions_layout_come_first(root):
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / FILES[0]).write_bytes(idx(IMAGES + 1))
    assert (mnist(root, root / "none").train_images == IMAGES[:, None] + 1).all()


def test_an_earlier_download_is_used(root):
    downloads = root / "downloads"
    (downloads / "MNIST" / "raw").mkdir(parents=True)
    for name in FILES:
        content = gzip.decompress((root / f"{name}.gz").read_bytes())
        (downloads / "MNIST" / "raw" / name).write_bytes(content)
    assert len(mnist(root / "empty", downloads).train_labels) == 12


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(idx(IMAGES))[:-30],
        gzip.compress(idx(IMAGES)[:-1]),
        gzip.compress(idx(LABELS)),
        gzip.compress(idx(IMAGES)[:2] + b"\x0d" + idx(IMAGES)[3:]),
        gzip.compress(sized(-1, 2, 3)),
        gzip.compress(sized(12, -1, 3)),
        gzip.compress(sized(-12, -2, 3)),
        gzip.compress(sized(0, 2, 3)),
        gzip.compress(sized(12, 3, 3)),
        gzip.compress(sized(2**31 - 1, 2**31 - 1, 4)),
    ],
    ids=[
        *("empty", "no-gzip", "cut-gzip", "cut-values", "labels", "floats"),
        *("negative number", "negative side", "negative twice", "none", "larger", "huge"),
    ],
)
def test_a_damaged_file_is_named(root, content):
    path = root / f"{FILES[0]}.gz"
    path.write_bytes(content)
    with pytest.raises(Fault, match=f"^{path}: not readable"):
        mnist(root, root / "none")


def test_labels_that_do_not_fit_the_images_are_a_fault(root):
    (root / f"{FILES[1]}.gz").write_bytes(gzip.compress(idx(LABELS[:-1])))
    with pytest.raises(Fault, match=r"train-labels-idx1-ubyte.gz: 11 labels .* 12 images"):
        mnist(root, root / "none")


def test_mnist_is_not_taken_for_fashion_mnist(root):
    with pytest.raises(Fault, match=r"not the test labels of FashionMNIST; check data.root"):
        fashion_mnist(root, root / "none")


@pytest.mark.usefixtures("offline")
def test_a_failed_download_says_which_files_go_where(tmp_path, capsys):
    (tmp_path / FILES[1]).write_bytes(idx(LABELS))
    with pytest.raises(Fault) as fault:
        SOURCES["fashion_mnist"].read(tmp_path, tmp_path / "downloads")
    assert str(fault.value) == (
        "FashionMNIST: the download failed (Error downloading: no route to host); put "
        "train-images-idx3-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte "
        f"(plain or .gz) into {tmp_path}"
    )
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("cifar10", "cifar-10-python.tar.gz or cifar-10-batches-py/"),
        ("cifar100", "cifar-100-python.tar.gz or cifar-100-python/"),
    ],
)
def test_a_failed_cifar_download_says_so_too(tmp_path, source, files):
    with pytest.raises(Fault, match=rf"no route to host\); put {files} into {tmp_path}$"):
        SOURCES[source].read(tmp_path, tmp_path / "downloads")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="the package dataset-fashion-mnist is absent")
def test_debians_fashion_mnist(tmp_path):
    raw = fashion_mnist(DEBIAN, tmp_path)
    assert raw.train_images.shape == (60000, 1, 28, 28)
    assert np.bincount(raw.train_labels).tolist() == [6000] * 10
    assert np.bincount(raw.test_labels).tolist() == [1000] * 10
    assert (
        hashlib.sha256(raw.test_labels.astype(np.uint8)).hexdigest()
        == "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
    )
