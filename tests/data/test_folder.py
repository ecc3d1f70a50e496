from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stages import prepare
from stages.data.folder import Files, folder
from stages.data.images import load
from stages.fault import Fault
from stages.params.data import DATA
from stages.params.load import parse


def paint(path, colour, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


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
    monkeypatch.setattr(prepare, "BLOCK", 2 * 3 * 3 * 4)
    settings = parse(DATA, {"source": "folder", "root": str(root), "validation": 0}, "data")
    prepare.prepare(settings, tmp_path, tmp_path / "out")
    assert asked == [2, 2, 2, 2]
    assert np.array_equal(load(tmp_path / "out").train.images, read(root).train_images)
