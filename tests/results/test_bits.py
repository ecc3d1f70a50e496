import numpy as np
import pytest

from stages.results.bits import packed, unpacked


def test_bits_by_hand():
    """1010 0000 1000 0000 is a0 80."""
    assert packed(np.array([1, 0, 1, 0, 0, 0, 0, 0, 1], bool)) == "9:oIA="


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 897])
def test_they_come_back(count):
    correct = np.random.default_rng(count).random(count) < 0.5
    assert unpacked(packed(correct)).tolist() == correct.tolist()


@pytest.mark.parametrize("text", ["", "9", "9:oI", "8:oIA=", "17:oIA=", "x:oIA=", "-1:", "9:????"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=r"it (should be|holds)"):
        unpacked(text)
