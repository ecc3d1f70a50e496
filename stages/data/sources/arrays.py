"""Any images that are NumPy arrays, from four .npy files."""

from pathlib import Path

import numpy as np

from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_array, map_array, read_text
from stages.pipeline.headers import npy_layout
from stages.pipeline.params import printable

NAMES = "classes.txt"
KINDS = ("images", "labels")


def arrays(root: Path, downloads: Path, *, channels_last: bool = False) -> Raw:
    """Read train_images.npy, train_labels.npy, test_images.npy and test_labels.npy from `root`.

    Images are uint8: [N, C, H, W], or [N, H, W, C] with `channels_last`; [N, H, W] is grey, and
    [N, L] are signals, 1x1xL. Labels are int64 [N], from 0 without a gap. `classes.txt`, if it is
    there, has the name of a class in each line. Images are mapped, so they need not fit into
    memory.
    """
    files = [root / f"{part}_{kind}.npy" for part in ("train", "test") for kind in KINDS]
    for path in files:
        if not path.is_file():
            raise Fault(f"{path}: no such file; `data.source: arrays` reads it")
    images = [_images(path, channels_last) for path in files[::2]]
    labels = [load_array(path, np.int64) for path in files[1::2]]
    names = _names(root / NAMES, _classes(files[1], labels[0]))
    for path, found, part in zip(files[1::2], labels, images, strict=True):
        _check(path, found, len(part), len(names))
    return Raw(images[0], labels[0], images[1], labels[1], names)


def _images(path: Path, channels_last: bool) -> np.ndarray:
    """Map images as [N, C, H, W]; a Fault where the file holds none."""
    try:
        _, shape = npy_layout(path)
    except Exception as error:  # numpy parses the header as Python, which fails in many ways
        raise Fault(f"{path}: not a readable .npy file ({printable(error)})") from None
    if len(shape) not in (2, 3, 4) or not all(shape):
        raise Fault(
            f"{path}: holds {list(shape)}; it should be [N, C, H, W], [N, H, W] or [N, L], "
            "none of them 0"
        )
    images = map_array(path, np.uint8, shape)
    if len(shape) == 4:
        images = images.transpose(0, 3, 1, 2) if channels_last else images
    else:
        images = images.reshape(shape[0], 1, *(shape[1:] if len(shape) == 3 else (1, shape[1])))
    if images.shape[1] > 4:
        last = "false" if channels_last else "true"
        raise Fault(
            f"{path}: holds images of {images.shape[1]} channels; at most 4 are read, "
            f"`channels_last: {last}` has them elsewhere"
        )
    return images


def _classes(path: Path, labels: np.ndarray) -> int:
    """Return the number of classes; a Fault where the training labels leave one out."""
    found = np.unique(labels)
    if (found != np.arange(len(found))).any():
        raise Fault(
            f"{path}: labels go from {found[0]} to {found[-1]}; "
            "they should begin at 0 and leave out none"
        )
    return len(found)


def _check(path: Path, labels: np.ndarray, images: int, classes: int) -> None:
    if labels.shape != (images,):
        raise Fault(f"{path}: labels {list(labels.shape)} do not fit {images} images")
    if labels.min() < 0 or labels.max() >= classes:
        raise Fault(
            f"{path}: labels go from {labels.min()} to {labels.max()}; "
            f"they should be from 0 to {classes - 1}"
        )


def _names(path: Path, classes: int) -> tuple[str, ...]:
    """Read the names of the classes; their numbers where there is no such file."""
    if not path.is_file():
        return tuple(map(str, range(classes)))
    names = tuple(read_text(path).splitlines())
    if len(set(names)) != len(names) or not all(name.strip() for name in names):
        raise Fault(f"{path}: it should have a name in each line, and no name twice")
    return names
