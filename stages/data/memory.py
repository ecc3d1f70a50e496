"""What is said when the images are larger than memory."""

import sys

import psutil


def mention_size(size: int, memory: int | None = None, then: str = "read from disk") -> None:
    """Say on stderr that images of `size` bytes do not fit into `memory` bytes, and what follows.

    None: the main memory that is available.
    """
    available = psutil.virtual_memory().available if memory is None else memory
    if size > available:
        print(
            f"the images take {size / 1e9:.1f} GB, {available / 1e9:.1f} GB of memory are free: "
            f"they are {then} as they are needed",
            file=sys.stderr,
        )
