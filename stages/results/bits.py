"""Which images a network classifies correctly, as text in a result file: one bit an image."""

import base64
import binascii

import numpy as np
from numpy.typing import NDArray


def packed(correct: NDArray[np.bool_]) -> str:
    """Return bools [N] as "N:" and the bits in base64, the first image the highest bit."""
    return f"{len(correct)}:{base64.b64encode(np.packbits(correct).tobytes()).decode()}"


def unpacked(text: str) -> NDArray[np.bool_]:
    """Return what `packed` was given; a ValueError where it is none."""
    number, _, bits = text.partition(":")
    try:
        held = np.frombuffer(base64.b64decode(bits, validate=True), np.uint8)
        count = int(number)
    except (ValueError, binascii.Error):
        raise ValueError("it should be a number of images, a colon and their bits") from None
    if not 0 <= count <= 8 * len(held) < count + 8:
        raise ValueError(f"it holds {8 * len(held)} bits for {count} images")
    return np.unpackbits(held, count=count).astype(bool)
