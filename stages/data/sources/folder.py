"""A user's own images: train/<class>/* and test/<class>/*, decoded with Pillow when asked for."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Le
from PIL import Image, ImageOps
from pydantic import BeforeValidator

from stages.data.sources.depth import in_bytes, white
from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault
from stages.pipeline.params import printable

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
FORMATS = "PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM"
"""Pillow's decoders that a file may reach, whatever its suffix says: another runs Ghostscript."""
MODES = {1: "L", 3: "RGB"}
Listing = dict[str, list[Path]]


def whole(channels: Any) -> Any:
    """Return what is a whole number; a ValueError for true and 1.0, which only equal one."""
    if type(channels) is not int:
        raise ValueError("it should be 1 or 3")
    return channels


Channels = Annotated[Literal[1, 3], BeforeValidator(whole)]


def folder(
    root: Path,
    downloads: Path,
    *,
    size: Annotated[int, Ge(1), Le(8192)] | None = None,
    channels: Channels = 3,
) -> Raw:
    """Read the images below `root`, in the order of the sorted class and file names.

    `size`: side in pixels; an image is cut around its centre to a square and resized (bilinear).
    None: all images must already have one size. `channels`: 3 for RGB, 1 for grey. Grey images of
    16 bits and floats from 0 to 1 are scaled to 8 bits. Errors: a missing or empty class, classes
    of test that are not those of train; an image that cannot be read, when it is read.
    """
    train, test = _listed(root / "train"), _listed(root / "test")
    if odd := sorted(train.keys() ^ test.keys()):
        absent = root / ("test" if odd[0] in train else "train") / odd[0]
        raise Fault(f"{printable(absent)}: no such folder; train and test need the same classes")
    shape = _first_shape(train) if size is None else (size, size)
    return Raw(
        Files(_paths(train), channels, *shape, fit=size is not None),
        _labels(train),
        Files(_paths(test), channels, *shape, fit=size is not None),
        _labels(test),
        tuple(train),
    )


@dataclass(frozen=True)
class Files:
    """Image files that stand for an array; `fit` brings all to one size."""

    paths: list[Path]
    channels: int
    height: int
    width: int
    fit: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of images, channels, height and width."""
        return len(self.paths), self.channels, self.height, self.width

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Decode the files at `index`, int64 [B], in threads; uint8 [B, C, H, W]."""
        with _no_bombs(), ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(self._decode, index)))

    def _decode(self, position: int) -> np.ndarray:
        path, size = self.paths[position], (self.height, self.width)
        pixels = _pixels(path, MODES[self.channels], size if self.fit else None)
        if pixels.shape[:2] != size:
            raise Fault(
                f"{printable(path)}: is {_size(pixels.shape)} but the first image is {_size(size)}"
                " (width x height); set data.size to bring all to one size"
            )
        return pixels.reshape(*size, self.channels).transpose(2, 0, 1)


def _listed(part: Path) -> Listing:
    """Map each class, a folder below `part`, to its image files; hidden names do not count."""
    if not part.is_dir():
        raise Fault(f"{part}: no such folder; images are read from train/CLASS/ and test/CLASS/")
    listing = {
        path.name: sorted(file for file in path.iterdir() if _visible(file, SUFFIXES))
        for path in sorted(part.iterdir())
        if path.is_dir() and _visible(path)
    }
    if not listing:
        raise Fault(f"{part}: holds no folder, and so no class")
    for name, files in listing.items():
        if not files:
            raise Fault(f"{printable(part / name)}: holds no image ({', '.join(sorted(SUFFIXES))})")
    return listing


def _visible(path: Path, suffixes: set[str] | None = None) -> bool:
    fits = suffixes is None or path.suffix.lower() in suffixes
    return fits and not path.name.startswith(".")


def _paths(listing: Listing) -> list[Path]:
    return [path for files in listing.values() for path in files]


def _labels(listing: Listing) -> np.ndarray:
    return np.repeat(np.arange(len(listing)), [len(files) for files in listing.values()])


def _first_shape(listing: Listing) -> tuple[int, int]:
    first = next(iter(listing.values()))[0]
    with _no_bombs():
        return _pixels(first, "L").shape


def _no_bombs() -> AbstractContextManager[object]:
    """Have Pillow refuse what it would warn of: images of more than 89 million pixels.

    It is for the thread that starts others: filters of warnings are the whole process's.
    """
    return warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning)


def _pixels(path: Path, mode: str, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Decode one file, upright as its EXIF says: [H, W] for mode L, [H, W, 3] for RGB."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            image = in_bytes(ImageOps.exif_transpose(file), white(file)).convert(mode)
    except Exception as error:
        raise Fault(f"{printable(path)}: not a readable image ({error})") from None
    if shape is not None:
        image = ImageOps.fit(image, shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
