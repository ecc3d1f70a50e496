"""A user's own images: train/<class>/* and test/<class>/*, decoded once with Pillow."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from PIL import Image, ImageOps
from tqdm import tqdm

from stages.data.raw import Raw
from stages.fault import Fault

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
MODES = {1: "L", 3: "RGB"}
Listing = dict[str, list[Path]]


def folder(
    root: Path,
    downloads: Path,
    *,
    size: Annotated[int, Ge(1)] | None = None,
    channels: Literal[1, 3] = 3,
) -> Raw:
    """Read the images below `root`, in the order of the sorted class and file names.

    `size`: side in pixels; an image is cut around its centre to a square and resized (bilinear).
    None: all images must already have one size. `channels`: 3 for RGB, 1 for grey.
    Errors: a missing or empty class, classes of test that are not those of train, a broken image.
    """
    train, test = _listed(root / "train"), _listed(root / "test")
    if odd := sorted(train.keys() ^ test.keys()):
        absent = root / ("test" if odd[0] in train else "train") / odd[0]
        raise Fault(f"{absent}: no such folder; train and test need the same classes")
    shape = _first_shape(train) if size is None else (size, size)
    return Raw(
        _decoded(train, shape, channels, fit=size is not None),
        _labels(train),
        _decoded(test, shape, channels, fit=size is not None),
        _labels(test),
        tuple(train),
    )


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
            raise Fault(f"{part / name}: holds no image ({', '.join(sorted(SUFFIXES))})")
    return listing


def _visible(path: Path, suffixes: set[str] | None = None) -> bool:
    fits = suffixes is None or path.suffix.lower() in suffixes
    return fits and not path.name.startswith(".")


def _labels(listing: Listing) -> np.ndarray:
    return np.repeat(np.arange(len(listing)), [len(files) for files in listing.values()])


def _first_shape(listing: Listing) -> tuple[int, int]:
    first = next(iter(listing.values()))[0]
    return _pixels(first, "L").shape


def _decoded(listing: Listing, shape: tuple[int, int], channels: int, fit: bool) -> np.ndarray:
    """Decode all files into uint8 [N, C, *shape], in threads that each fill their own rows."""
    paths = [path for files in listing.values() for path in files]
    images = np.empty((len(paths), channels, *shape), dtype=np.uint8)

    def decode(row: int) -> None:
        pixels = _pixels(paths[row], MODES[channels], shape if fit else None)
        if pixels.shape[:2] != shape:
            raise Fault(
                f"{paths[row]}: is {_told(pixels.shape)} but the first image is {_told(shape)}"
                " (width x height); set data.size to bring all to one size"
            )
        images[row] = pixels.reshape(*shape, channels).transpose(2, 0, 1)

    with ThreadPoolExecutor() as pool:
        rows = pool.map(decode, range(len(paths)))
        for _ in tqdm(rows, desc="decode", total=len(paths), unit="image", disable=None):
            pass
    return images


def _pixels(path: Path, mode: str, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Decode one file, upright as its EXIF says: [H, W] for mode L, [H, W, 3] for RGB."""
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert(mode)
    except Exception as error:
        raise Fault(f"{path}: not a readable image ({error})") from None
    if shape is not None:
        image = ImageOps.fit(image, shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image)


def _told(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
