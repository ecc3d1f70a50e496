"""Grey images of more than 8 bits, brought to 8 by the white of their type.

Pillow's own conversion clips them at 255: words become all white, floats from 0 to 1 all black.
"""

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile


def white(file: ImageFile) -> int | None:
    """Return the value of white in a grey file of more than 8 bits, None for all other files.

    Floats: 1; unsigned integers of up to 16 bits: the largest. Raises a ValueError for integers
    of 32 bits and signed ones of a TIFF, whose white is not known.
    """
    if file.mode == "F":
        return 1
    if file.mode != "I" and not file.mode.startswith("I;16"):
        return None
    if not isinstance(file, TiffImageFile):
        return 2**16 - 1
    bits = file.tag_v2[BITSPERSAMPLE][0]
    if file.mode == "I":
        kind = "of 32 bits" if bits == 32 else f"of {bits} bits with a sign"
        raise ValueError(
            f"integers {kind} have no known white; save it with 8 or 16 bits, unsigned"
        )
    return int(2**bits - 1)


def in_bytes(image: Image.Image, white: int | None) -> Image.Image:
    """Return the image with 0 to `white` as 0 to 255, rounded; None: the image as it is.

    Raises a ValueError that names the range of values outside.
    """
    if white is None:
        return image
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= white:
        raise ValueError(f"its values go from {low:g} to {high:g}; allowed are 0 to {white}")
    return Image.fromarray(np.rint(values * 255 / white).astype(np.uint8))
