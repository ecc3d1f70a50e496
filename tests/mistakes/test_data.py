"""Images that cannot be used: `prepare` names the file, and leaves nothing half-written."""

import gzip
import os
import shutil
import socket
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages import prepare, validate
from stages.data.sources.mnist import FILES
from tests.mistakes.edits import edit
from tests.mistakes.harness import call, check, nothing_done

RAW = Path("data/raw")
ONE = RAW / "train/ant/0.png"
SHAPE = (12, 28, 28)
LABELS = np.array([7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6], np.uint8)
NO_IMAGE = "holds no image (.bmp, .gif,"
ALONE = "below data.root should be files and folders alone"


def paint(path, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(path)


def socket_at(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def emptied(path):
    for file in path.iterdir():
        file.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:40])


def float_image(path, value):
    path.unlink()
    Image.fromarray(np.full((8, 8), value, np.float32)).save(path.with_suffix(".tif"))


FOLDER = {
    "no train": (
        lambda: shutil.rmtree(RAW / "train"),
        "data/raw/train: no such folder; images are",
    ),
    "no test": (lambda: shutil.rmtree(RAW / "test"), "data/raw/test: no such folder; images are"),
    "train a file": (
        lambda: (shutil.rmtree(RAW / "train"), (RAW / "train").touch()),
        "data/raw/train: no such folder; images are read from train/CLASS/",
    ),
    "no class": (
        lambda: [shutil.rmtree(RAW / "train" / name) for name in ("ant", "bee")],
        "data/raw/train: holds no folder, and so no class",
    ),
    "an empty class": (lambda: emptied(RAW / "train/ant"), f"data/raw/train/ant: {NO_IMAGE}"),
    "an empty class of test": (lambda: emptied(RAW / "test/bee"), f"data/raw/test/bee: {NO_IMAGE}"),
    "a class that test lacks": (
        lambda: shutil.rmtree(RAW / "test/bee"),
        "data/raw/test/bee: no such folder; train and test need the same classes",
    ),
    "a class that train lacks": (
        lambda: paint(RAW / "test/cow/0.png"),
        "data/raw/train/cow: no such folder; train and test need the same classes",
    ),
    "no file is an image": (
        lambda: [file.rename(file.with_suffix(".xcf")) for file in (RAW / "train/ant").iterdir()],
        f"data/raw/train/ant: {NO_IMAGE}",
    ),
    "an empty image": (lambda: ONE.write_bytes(b""), f"{ONE}: not a readable image"),
    "text as an image": (lambda: ONE.write_text("hello"), f"{ONE}: not a readable image"),
    "a truncated image": (lambda: cut(ONE), f"{ONE}: not a readable image"),
    "a folder as an image": (
        lambda: (ONE.unlink(), ONE.mkdir()),
        f"{ONE}: not a readable image",
    ),
    "another size": (
        lambda: paint(RAW / "train/bee/1.png", (9, 8)),
        "data/raw/train/bee/1.png: is 9x8 but the first image is 8x8 (width x height);",
    ),
    "another size of test": (
        lambda: paint(RAW / "test/bee/1.png", (9, 8)),
        "data/raw/test/bee/1.png: is 9x8 but the first image is 8x8",
    ),
    "values without a known white": (
        lambda: float_image(ONE, 300),
        "data/raw/train/ant/0.tif: not a readable image (its values go from 300 to 300; allowed",
    ),
    "a named pipe": (
        lambda: (ONE.unlink(), os.mkfifo(ONE)),
        f"'{ONE}' is a named pipe; {ALONE}",
    ),
    "a named pipe beside": (
        lambda: os.mkfifo(RAW / "notes"),
        f"'data/raw/notes' is a named pipe; {ALONE}",
    ),
    "a socket": (lambda: (ONE.unlink(), socket_at(ONE)), f"'{ONE}' is a socket; {ALONE}"),
    "a broken link": (
        lambda: (ONE.unlink(), ONE.symlink_to("nowhere")),
        f"'{ONE}' is a link to no file or folder; {ALONE}",
    ),
    "a link to itself": (
        lambda: (ONE.unlink(), ONE.symlink_to("0.png")),
        f"'{ONE}' is a link to no file or folder; {ALONE}",
    ),
    "a link to a device": (
        lambda: (ONE.unlink(), ONE.symlink_to("/dev/zero")),
        f"'{ONE}' is a link to no file or folder; {ALONE}",
    ),
    "a name of two lines": (
        lambda: (ONE.unlink(), os.mkfifo(ONE.with_name("a\nb.png"))),
        f"'data/raw/train/ant/a\\nb.png' is a named pipe; {ALONE}",
    ),
    "a broken image of two lines": (
        lambda: ONE.with_name("a\nb.png").write_text("hello"),
        "data/raw/train/ant/a\\nb.png",
    ),
}


@pytest.fixture
def images(project):
    """A folder of two classes, which `data` names."""
    for part, count in (("train", 4), ("test", 2)):
        for name in ("ant", "bee"):
            for number in range(count):
                paint(project / RAW / part / name / f"{number}.png")
    edit({"data.source": "folder"})
    return project


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("what", FOLDER)
def test_a_folder_that_cannot_be_read_is_a_line(what):
    spoil, line = FOLDER[what]
    spoil()
    with nothing_done(Path()):
        check(call(prepare.app), line)


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("what", [what for what in FOLDER if ALONE in FOLDER[what][1]])
def test_what_dvc_cannot_digest_stops_validate(what):
    """DVC digests data.root before `prepare` runs, and would wait for a pipe for ever."""
    spoil, line = FOLDER[what]
    spoil()
    with nothing_done(Path()):
        check(call(validate.app), ("params.yaml: ", line))


SETTINGS = {
    "validation: 0.01": "data.validation is 0.01 of 8 training images, which holds",
    "validation: 0.89": "data.validation is 0.89 and leaves no training image of",
    "train_limit: 1, validation: 0": "leaves no training image of class",
}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("data", SETTINGS)
def test_a_split_that_leaves_nothing_is_a_line(data):
    edit({"data": f"{{source: folder, root: data/raw, {data}}}"})
    with nothing_done(Path()):
        check(call(prepare.app), SETTINGS[data])


def idx(shape, values=None, head=(0, 0, 8), rank=None):
    """An idx file that says it has this shape, and as many bytes as that, or these values."""
    body = bytes(max(0, int(np.prod(shape)))) if values is None else bytes(values)
    rank = len(shape) if rank is None else rank
    return struct.pack(f">4B{len(shape)}i", *head, rank, *shape) + body


TRAIN, TRAIN_LABELS, TEST, TEST_LABELS = (RAW / name for name in FILES)
IDX = {
    "an empty file": (TRAIN, b"", "it does not begin as an idx3 file of bytes"),
    "text": (TRAIN, b"hello, world", "it does not begin as an idx3 file of bytes"),
    "another type": (
        TRAIN,
        idx(SHAPE, head=(0, 0, 13)),
        "it does not begin as an idx3 file of bytes",
    ),
    "labels as images": (TRAIN, idx((12,)), "it does not begin as an idx3 file of bytes"),
    "images as labels": (TRAIN_LABELS, idx(SHAPE), "it does not begin as an idx1 file of bytes"),
    "no training images": (TRAIN, idx((0, 28, 28)), "its sizes are [0, 28, 28], and should be 1"),
    "no test images": (
        TEST,
        idx((0, 28, 28)),
        "its sizes are [0, 28, 28], and should be 1 or more",
    ),
    "a negative size": (TRAIN, idx((-12, 28, 28)), "its sizes are [-12, 28, 28], and should be 1"),
    "a negative side": (
        TRAIN,
        idx((12, -28, -28)),
        "its sizes are [12, -28, -28], and should be 1",
    ),
    "no labels": (TRAIN_LABELS, idx((0,)), "its sizes are [0], and should be 1 or more"),
    "a size that is cut off": (TRAIN, idx(SHAPE)[:10], "not readable, replace or delete it"),
    "too few bytes": (TRAIN, idx(SHAPE)[:-1], "not readable, replace or delete it"),
    "too many bytes": (TRAIN, idx(SHAPE) + b"0", "not readable, replace or delete it"),
    "a huge size": (TRAIN, idx((2**31 - 1, 1, 1), b"0"), "not readable, replace or delete it"),
    "fewer images": (TRAIN, idx((11, 28, 28)), "12 labels do not fit 11 images"),
    "fewer labels": (TEST_LABELS, idx((11,), LABELS[:11]), "11 labels do not fit 12 images"),
    "a class too many": (TRAIN_LABELS, idx((12,), [10] * 12), "labels do not fit 12 images"),
    "other labels": (
        TEST_LABELS,
        idx((12,), LABELS[::-1]),
        "these are not the test labels of MNIST",
    ),
    "another image size": (
        TEST,
        idx((12, 27, 27)),
        "training images are 1x28x28 and test images 1x27x27",
    ),
    "a broken archive": (
        TRAIN.with_suffix(".gz"),
        b"\x1f\x8bno",
        "not readable, replace or delete",
    ),
    "a cut archive": (
        TRAIN.with_suffix(".gz"),
        gzip.compress(idx(SHAPE))[:-9],
        "not readable, replace or delete",
    ),
}


@pytest.fixture
def mnist(project, monkeypatch):
    """MNIST in miniature, which cannot be downloaded."""
    from torchvision import datasets

    def fail(*_, **__):
        raise RuntimeError("Error downloading:\nno route to host")

    monkeypatch.setattr(datasets.MNIST, "download", fail)
    for path, content in zip(
        (TRAIN, TRAIN_LABELS, TEST, TEST_LABELS),
        (idx(SHAPE), idx((12,), LABELS), idx(SHAPE), idx((12,), LABELS)),
        strict=True,
    ):
        path.write_bytes(content)
    edit({"data.source": "mnist", "data.validation": "0"})
    return project


@pytest.mark.usefixtures("mnist")
@pytest.mark.parametrize("what", IDX)
def test_an_idx_file_that_cannot_be_read_is_a_line(what):
    path, content, line = IDX[what]
    path.with_suffix("").unlink()
    path.write_bytes(content)
    with nothing_done(Path()):
        ended = call(prepare.app)
    check(ended, line)
    assert "data/raw" in ended.err[0]


@pytest.mark.usefixtures("mnist")
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_mnist_that_is_missing_is_named(name):
    (RAW / name).unlink()
    with nothing_done(Path()):
        ended = call(prepare.app)
    check(ended, ("MNIST: the download failed", "no route to host", f"put {name} (plain or .gz)"))


@pytest.mark.parametrize("source", ["cifar10", "cifar100"])
@pytest.mark.parametrize("spoil", ["archive", "folder"])
def test_a_foreign_file_of_cifar_is_named(project, source, spoil):
    archive, folder = {
        "cifar10": ("cifar-10-python.tar.gz", "cifar-10-batches-py/data_batch_1"),
        "cifar100": ("cifar-100-python.tar.gz", "cifar-100-python/train"),
    }[source]
    file = RAW / (archive if spoil == "archive" else folder)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"no pickle")
    edit({"data.source": source})
    with nothing_done(project):
        check(
            call(prepare.app),
            (f"{file}: missing or damaged (its MD5 must be ", "replace or delete"),
        )
