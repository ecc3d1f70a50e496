import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.data.sources.digits import digits

NOWHERE = Path("no/such/folder")


@pytest.fixture(scope="module")
def raw():
    return digits(NOWHERE, NOWHERE)


def test_shapes_and_types(raw):
    assert raw.train_images.shape == (900, 1, 8, 8)
    assert raw.test_images.shape == (897, 1, 8, 8)
    assert raw.train_images.dtype == np.uint8
    assert raw.train_labels.dtype == raw.test_labels.dtype == np.int64
    assert raw.classes == tuple("0123456789")


def test_the_first_image_is_scaled_to_bytes(raw):
    # its first row in the file: 0 0 5 13 9 1 0 0, of 16
    assert raw.train_images[0, 0, 0].tolist() == [0, 0, 79, 207, 143, 15, 0, 0]
    assert raw.train_images.max() == 255


def test_the_split_is_fixed_and_stratified(raw):
    assert np.bincount(raw.train_labels).tolist() == [89, 91, 88, 92, 91, 91, 91, 90, 87, 90]
    assert np.bincount(raw.test_labels).tolist() == [89, 91, 89, 91, 90, 91, 90, 89, 87, 90]
    parts = (raw.train_images, raw.train_labels, raw.test_images, raw.test_labels)
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert digest == "be64e5d8d1ab76d4740896db4be06f966bf0cf6dcf7acea2dc43d2a65f997498"


def test_no_torch_is_imported():
    code = (
        "import sys; from pathlib import Path; import stages.data.preparation\n"
        "from stages.data.sources.registry import SOURCES\n"
        "SOURCES['digits'].read(Path('x'), Path('y'))\n"
        "assert 'torch' not in sys.modules and 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
