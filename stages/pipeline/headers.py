"""Headers of binary files, looked at before a library believes them.

A header of a few bytes can ask for terabytes, and a longer one for a million tensors. What these
checks pass takes no more memory than the file has bytes, and no more than a second to list.
"""

import json
import os
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

MOST_HEADER = 2**22
"""Bytes of a safetensors header: tens of thousands of tensors, which take a second to list."""


def check_safetensors(path: Path | str) -> None:
    """Raise a ValueError for a header that is too long, no JSON, or names a tensor twice.

    Types, shapes and offsets are left to the library, which checks them all.
    """
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MOST_HEADER:
            raise ValueError(f"its header has {size} bytes; allowed are {MOST_HEADER}")
        try:
            json.loads(file.read(size).decode(), object_pairs_hook=_unique)
        except RecursionError:
            raise ValueError("its header is nested too deep") from None


def npy_layout(path: Path | str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return the type and shape of a .npy file; a ValueError when its bytes are more or fewer.

    Versions other than 1.0, which `save_rows` writes, are refused.
    """
    with Path(path).open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"its version is {version}; it should be (1, 0)")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        stored = os.fstat(file.fileno()).st_size - file.tell()
    if dtype.hasobject or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != stored:
        raise ValueError(f"its header says {dtype} {list(shape)}, and {stored} bytes follow")
    return dtype, shape


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"its header names {name!r} twice")
        found[name] = value
    return found
