"""Images and archives that are made to take all memory, or to run what they like."""

import gzip
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.data.sources.folder import folder
from stages.pipeline.fault import Fault
from tests.hostile import said_of

READ = """
from stages.data.sources.folder import folder
from stages.data.sources.mnist import _idx
def read(path):
    if path.suffix == ".png":
        return folder(path.parents[2], Path())
    return _idx("train-images-idx3-ubyte", path)
"""


def png(width, height):
    """The header of a PNG and no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + check + b"\0\0\0\0IDAT"


def idx(*sizes):
    return bytes((0, 0, 8, 3)) + struct.pack(">3i", *sizes)


def compressed(head, megabytes):
    """A .gz whose content goes on with zeros: a thousandth of what it holds."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(head), *(packer.compress(bytes(2**20)) for _ in range(megabytes))]
    return b"".join([*parts, packer.flush()])


CASES = {
    "a 50,000 x 50,000 image": ("png", lambda: png(50_000, 50_000), "2500000000 pixels"),
    "a 10,000 x 10,000 image": ("png", lambda: png(10_000, 10_000), "100000000 pixels"),
    "1 GB in a .gz": ("gz", lambda: compressed(idx(60_000, 28, 28), 1024), "cannot reshape"),
    "sizes of 10**28 bytes": ("idx", lambda: idx(2**31 - 1, 2**31 - 1, 2**31 - 1), "its sizes are"),
    "sizes of 1 TB": ("gz", lambda: gzip.compress(idx(10**6, 1000, 1000)), "its sizes are"),
    "half of the sizes": ("idx", lambda: idx(1, 1, 1)[:9], "not readable"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    paths = {}
    for name, (suffix, content, _) in CASES.items():
        paths[name] = tmp_path_factory.mktemp("root") / "train" / "a" / f"x.{suffix}"
        for part in ("train", "test"):
            path = paths[name].parents[2] / part / "a" / paths[name].name
            path.parent.mkdir(parents=True)
            path.write_bytes(content())
    lines = said_of(paths.values(), READ)
    return {name: lines.get(path, "nothing") for name, path in paths.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
@pytest.mark.parametrize(("name", "line"), [(name, case[2]) for name, case in CASES.items()])
def test_a_bomb_is_refused_in_one_line_and_little_memory(name, line, said):
    assert line in said[name]
    assert not said[name].startswith("read: ")
    assert "\n" not in said[name]


def test_a_program_in_place_of_an_image_is_not_run(tmp_path):
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    for part in ("train", "test"):
        path = tmp_path / part / "a" / "x.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path, format="EPS")
    with pytest.raises(Fault, match=r"x\.png: not a readable image \(cannot identify image file"):
        folder(tmp_path, Path())


def test_images_may_be_links_to_outside(tmp_path):
    """Links are refused for code alone: data sets are often elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(outside / "x.png")
    for part in ("train", "test"):
        (tmp_path / "root" / part).mkdir(parents=True)
        (tmp_path / "root" / part / "a").symlink_to(outside)
    raw = folder(tmp_path / "root", Path(), channels=1)
    assert raw.train_images[np.array([0])].tolist() == [[[[7, 7], [7, 7]]]]
