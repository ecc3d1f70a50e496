import numpy as np
import pytest

from stages.data.sources.arrays import arrays
from stages.pipeline.fault import Fault

GREY = np.arange(6 * 2 * 3, dtype=np.uint8).reshape(6, 2, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2])
FILES = {
    "train_images": GREY,
    "train_labels": LABELS,
    "test_images": GREY[:3],
    "test_labels": LABELS[:3],
}


def write(root, **changed):
    for name, array in {**FILES, **changed}.items():
        np.save(root / f"{name}.npy", array)
    return root


def test_grey_images_and_signals_get_a_channel(tmp_path):
    raw = arrays(write(tmp_path), tmp_path)
    assert (raw.train_images == GREY[:, None]).all()
    assert raw.test_images.shape == (3, 1, 2, 3)
    assert (raw.classes, raw.train_labels.tolist()) == (("0", "1", "2"), [0, 1, 2, 0, 1, 2])
    signals = GREY.reshape(6, 6)
    raw = arrays(write(tmp_path, train_images=signals, test_images=signals[:3]), tmp_path)
    assert (raw.train_images == signals[:, None, None]).all()


def test_channels_may_come_first_or_last(tmp_path):
    colour = np.arange(6 * 3 * 2 * 5, dtype=np.uint8).reshape(6, 3, 2, 5)
    raw = arrays(write(tmp_path, train_images=colour, test_images=colour[:3]), tmp_path)
    assert (raw.train_images == colour).all()
    last = colour.transpose(0, 2, 3, 1)
    write(tmp_path, train_images=last, test_images=last[:3])
    assert (arrays(tmp_path, tmp_path, channels_last=True).train_images == colour).all()


def test_classes_may_have_names(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog\ngnu\n")
    assert arrays(write(tmp_path), tmp_path).classes == ("cat", "dog", "gnu")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"train_images": GREY / 255}, r"train_images.npy: holds float64 .*; it should be uint8"),
        ({"train_labels": LABELS.astype(np.int32)}, "train_labels.npy: holds int32; it should be"),
        ({"train_labels": LABELS[:, None]}, r"train_labels.npy: labels \[6, 1\] do not fit 6 im"),
        ({"test_labels": LABELS}, r"test_labels.npy: labels \[6\] do not fit 3 images"),
        ({"test_labels": LABELS[:3] - 1}, "test_labels.npy: labels go from -1 to 1; .* 0 to 2"),
        ({"test_labels": LABELS[:3] + 1}, "test_labels.npy: labels go from 1 to 3; .* 0 to 2"),
        ({"train_labels": LABELS + 1}, "train_labels.npy: labels go from 1 to 3; .* begin at 0"),
        ({"train_labels": LABELS * 2}, "train_labels.npy: labels go from 0 to 4; .* leave out no"),
        ({"train_labels": LABELS - 1}, "train_labels.npy: labels go from -1 to 1; .* begin at 0"),
        (
            {"train_labels": LABELS + 10**17},  # ids, too many to name
            "train_labels.npy: labels go from 100000000000000000 to .* leave out none",
        ),
        ({"train_images": GREY[0, 0]}, r"train_images.npy: holds \[3\]; it should be \[N, C, H"),
        ({"train_images": GREY[:0]}, r"holds \[0, 2, 3\]; .* none of them 0"),
        ({"train_images": np.array([{}])}, "train_images.npy: not a readable .npy file"),
        (
            {"train_images": np.zeros((6, 8, 8, 3), np.uint8)},
            "holds images of 8 channels; .*`channels_last: true` has them elsewhere",
        ),
    ],
)
def test_what_does_not_fit_is_a_line(tmp_path, changed, line):
    with pytest.raises(Fault, match=line) as found:
        arrays(write(tmp_path, **changed), tmp_path)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("names", ["a\nb\n", "a\n\nc\n", "a\nb\nb\n"])
def test_names_of_classes_that_do_not_fit_are_a_line(tmp_path, names):
    (tmp_path / "classes.txt").write_text(names)
    with pytest.raises(Fault, match=r"classes.txt: |train_labels.npy: labels go from 0 to 2; "):
        arrays(write(tmp_path), tmp_path)


def test_a_missing_file_is_named(tmp_path):
    (write(tmp_path) / "test_labels.npy").unlink()
    with pytest.raises(Fault, match=r"test_labels.npy: no such file; `data.source: arrays` reads"):
        arrays(tmp_path, tmp_path)
