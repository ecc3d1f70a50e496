import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stages.data import preparation
from stages.data.settings import DATA
from stages.data.sources.folder import Files, folder
from stages.images.prepared import load
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse


def paint(path, colour, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def write_tiff(path, pixels, size, bits, sample_format=1):
    """Write a grey TIFF that Pillow reads but does not write."""
    width, height = size
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: height}
    tags |= {279: len(pixels), 339: sample_format}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II" + struct.pack("<HI", 42, 8 + len(pixels))
    path.write_bytes(head + pixels + struct.pack("<H", len(tags)) + entries + bytes(4))


def read(root, **options):
    """Read a folder and decode all of its images."""
    raw = folder(root, root, **options)
    parts = ("train_images", "test_images")
    return replace(raw, **{part: whole(getattr(raw, part)) for part in parts})


def whole(images):
    return images[np.arange(images.shape[0])]


@pytest.fixture
def root(tmp_path):
    for part, count in (("train", 3), ("test", 1)):
        for level, name in enumerate(("ant", "bee")):
            for i in range(count):
                paint(tmp_path / part / name / f"{i}.png", (100 * level + 10 * i, 7, 200))
    return tmp_path


def test_classes_and_files_are_sorted_and_channels_come_first(root):
    raw = read(root)
    assert raw.classes == ("ant", "bee")
    assert raw.train_images.shape == (6, 3, 3, 4)
    assert raw.train_images[:, 0, 0, 0].tolist() == [0, 10, 20, 100, 110, 120]
    assert (raw.train_images[:, 2] == 200).all()
    assert raw.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert raw.test_labels.tolist() == [0, 1]
    assert raw.train_labels.dtype == np.int64


def test_many_files_keep_their_rows(tmp_path):
    for part in ("train", "test"):
        for i in range(200):
            paint(tmp_path / part / "one" / f"{i:03}.bmp", (i, i, i), (2, 2))
    assert read(tmp_path).train_images[:, 0, 0, 0].tolist() == list(range(200))


def test_grey_is_one_channel(root):
    raw = read(root, channels=1)
    # ITU-R 601: .299 R + .587 G + .114 B of (0, 7, 200) = 26.9
    assert raw.train_images.shape == (6, 1, 3, 4)
    assert raw.train_images[0].max() in (26, 27)


def test_a_size_cuts_the_centre_square(root):
    picture = np.zeros((2, 6, 3), np.uint8)
    picture[:, 2:4] = 90
    for part in ("train", "test"):
        Image.fromarray(picture).save(root / part / "ant" / "0.png")
    raw = read(root, size=2)
    assert raw.train_images.shape == (6, 3, 2, 2)
    assert (raw.train_images[0] == 90).all()


def test_a_photo_is_turned_upright(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in root.rglob("*.png"):
        paint(path, (0, 0, 0))
    turned = root / "train" / "ant" / "0.png"
    Image.new("RGB", (3, 4)).save(turned, exif=exif)
    assert read(root).train_images.shape[2:] == (3, 4)


def test_other_and_hidden_names_do_not_count(root):
    (root / "train" / "ant" / "notes.txt").write_text("x")
    (root / "train" / "ant" / "._0.png").write_text("x")
    (root / "train" / ".cache").mkdir()
    assert len(read(root).train_labels) == 6


def test_the_first_odd_size_is_named(root):
    paint(root / "train" / "bee" / "1.png", (0, 0, 0), (9, 8))
    paint(root / "train" / "bee" / "2.png", (0, 0, 0), (5, 5))
    with pytest.raises(Fault, match=r"train/bee/1.png: is 9x8 but the first image is 4x3 "):
        read(root)


def test_test_images_must_have_the_size_of_the_training_images(root):
    paint(root / "test" / "bee" / "0.png", (0, 0, 0), (9, 8))
    with pytest.raises(Fault, match=r"test/bee/0.png: is 9x8"):
        read(root)


WORDS = np.array([[0, 128, 129, 257], [32767, 32768, 65406, 65407], [65535, 256, 1, 12850]])
BYTES = [[0, 0, 1, 1], [127, 128, 254, 255], [255, 1, 0, 50]]


@pytest.mark.parametrize(
    ("suffix", "dtype"), [(".png", "<u2"), (".pgm", "<u2"), (".tif", "<u2"), (".tif", ">u2")]
)
def test_grey_images_of_16_bits_are_rounded_to_8(root, suffix, dtype):
    """257 levels of 65535 are one of 255: round(value / 257)."""
    (root / "train" / "ant" / "0.png").unlink()
    Image.fromarray(WORDS.astype(dtype)).save(root / "train" / "ant" / f"0{suffix}")
    assert read(root, channels=1).train_images[0, 0].tolist() == BYTES
    assert read(root).train_images[0].tolist() == [BYTES] * 3


def test_images_of_12_bits_are_white_at_4095(root):
    (root / "train" / "ant" / "0.png").unlink()
    row = bytes.fromhex("000 FFF 008 800".replace(" ", ""))
    write_tiff(root / "train" / "ant" / "0.tif", 3 * row, (4, 3), bits=12)
    assert read(root, channels=1).train_images[0, 0, 0].tolist() == [0, 255, 0, 128]


def test_floats_from_0_to_1_are_scaled_to_255(root):
    (root / "train" / "ant" / "0.png").unlink()
    values = np.array([[0, 1, 0.2, 0.5019608]] * 3, np.float32)
    Image.fromarray(values).save(root / "train" / "ant" / "0.tif")
    assert read(root, channels=1).train_images[0, 0, 0].tolist() == [0, 255, 51, 128]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.float32([[0, 3.5]]), r"0\.tif: .*values go from 0 to 3\.5; allowed are 0 to 1"),
        (np.float32([[-0.5, 1]]), r"0\.tif: .*values go from -0\.5 to 1; allowed are 0 to 1"),
        (np.float32([[np.nan, 1]]), r"0\.tif: .*values go from nan to nan; allowed"),
        (np.int32([[0, 70000]]), r"0\.tif: .*32 bits.*; save it with 8 or 16"),
    ],
)
def test_values_without_a_known_white_are_refused(root, values, message):
    (root / "train" / "ant" / "0.png").unlink()
    Image.fromarray(values).save(root / "train" / "ant" / "0.tif")
    with pytest.raises(Fault, match=message):
        read(root, size=1)


def test_signed_words_are_refused(root):
    (root / "train" / "ant" / "0.png").unlink()
    write_tiff(root / "train" / "ant" / "0.tif", bytes(24), (4, 3), bits=16, sample_format=2)
    with pytest.raises(Fault, match=r"0\.tif: .*16 bits with a sign .*; save it with"):
        read(root)


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "cut"])
def test_a_broken_image_is_named(root, content):
    path = root / "train" / "bee" / "1.png"
    path.write_bytes(path.read_bytes()[:-25] if content is None else content)
    with pytest.raises(Fault, match=f"^{path}: not a readable image"):
        read(root)


@pytest.mark.parametrize(("extra", "absent"), [("test", "train"), ("train", "test")])
def test_classes_of_test_must_be_those_of_train(root, extra, absent):
    paint(root / extra / "cow" / "0.png", (0, 0, 0))
    with pytest.raises(Fault, match=f"^{root / absent / 'cow'}: no such folder"):
        read(root)


def test_an_empty_class_is_named(root):
    (root / "train" / "cow").mkdir()
    with pytest.raises(Fault, match=r"train/cow: holds no image"):
        read(root)


def test_a_missing_or_empty_part_is_named(tmp_path):
    with pytest.raises(Fault, match=r"train: no such folder"):
        read(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(Fault, match=r"train: holds no folder"):
        read(tmp_path)


def test_only_the_images_asked_for_are_decoded(root):
    (root / "train" / "bee" / "1.png").write_text("broken")
    images = folder(root, root).train_images
    assert images.shape == (6, 3, 3, 4)
    assert images[np.array([5, 0])][:, 0, 0, 0].tolist() == [120, 0]
    with pytest.raises(Fault, match=r"bee/1\.png: not a readable image"):
        images[np.array([4])]


def test_a_preparation_decodes_a_block_at_a_time(root, tmp_path, monkeypatch):
    asked = []
    decode = Files.__getitem__

    def spy(self, index):
        asked.append(len(index))
        return decode(self, index)

    monkeypatch.setattr(Files, "__getitem__", spy)
    monkeypatch.setattr(preparation, "BLOCK", 2 * 3 * 3 * 4)
    settings = parse(DATA, {"source": "folder", "root": str(root), "validation": 0}, "data")
    preparation.prepare(settings, tmp_path, tmp_path / "out")
    assert asked == [2, 2, 2, 2]
    assert np.array_equal(load(tmp_path / "out").train.images, read(root).train_images)
