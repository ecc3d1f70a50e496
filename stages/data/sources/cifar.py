"""CIFAR-10 and CIFAR-100 through torchvision.

The files are pickles. Nothing is unpickled unless its MD5 is the published one: an archive is
checked before it is unpacked, and every batch before torchvision, which checks again, reads it.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stages.data.sources.download import download
from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault


def cifar10(root: Path, downloads: Path) -> Raw:
    """Read CIFAR-10: 50,000 + 10,000 images 3x32x32."""
    return _read("CIFAR10", root, downloads)


def cifar100(root: Path, downloads: Path) -> Raw:
    """Read CIFAR-100 with its 100 fine classes: 50,000 + 10,000 images 3x32x32."""
    return _read("CIFAR100", root, downloads)


def _read(dataset: str, root: Path, downloads: Path) -> Raw:
    """Read the folder or the archive below `root`, which stays untouched, else the download."""
    from torchvision import datasets
    from torchvision.datasets.utils import extract_archive

    kind = getattr(datasets, dataset)
    archive = root / kind.filename
    if (root / kind.base_folder).is_dir():
        return _unpickled(kind, root)
    if archive.is_file():
        _verify(archive, kind.tgz_md5)
        with TemporaryDirectory() as aside:
            extract_archive(archive, Path(aside))
            return _unpickled(kind, Path(aside))
    download(dataset, downloads, f"put {kind.filename} or {kind.base_folder}/ into {root}")
    return _unpickled(kind, downloads)


def _unpickled(kind: Any, root: Path) -> Raw:
    batches = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    for name, md5 in batches:
        _verify(root / kind.base_folder / name, md5)
    train, test = kind(root, train=True), kind(root, train=False)
    return Raw(*_arrays(train), *_arrays(test), tuple(train.classes))


def _arrays(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    return dataset.data.transpose(0, 3, 1, 2), np.array(dataset.targets, dtype=np.int64)


def _verify(path: Path, md5: str) -> None:
    from torchvision.datasets.utils import check_integrity

    if not check_integrity(path, md5):
        raise Fault(f"{path}: missing or damaged (its MD5 must be {md5}); replace or delete it")
