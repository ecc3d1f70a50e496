import subprocess
import sys

import pytest

from stages.images.augmentations.crop import Crop
from stages.images.augmentations.flip import Flip
from stages.images.augmentations.registry import AUGMENTATIONS
from stages.images.augmentations.resized_crop import ResizedCrop
from stages.images.settings import AUGMENT
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse


def used(entry):
    return parse(AUGMENT, entry, "train.recipe.augment").used()


def test_augmentations_are_used_in_the_order_of_the_registry():
    entry = {"flip": {}, "crop": {"pad": 2}, "resized_crop": {"scale": [0.5, 1]}}
    assert used(entry) == [ResizedCrop(scale=(0.5, 1.0)), Crop(pad=2), Flip()]
    assert [type(augmentation) for augmentation in used(entry)] == list(AUGMENTATIONS.values())


def test_what_is_absent_or_null_is_not_used():
    assert used({"crop": {"pad": 1}}) == [Crop(pad=1)]
    assert used({"crop": None, "flip": {}}) == [Flip()]
    assert used({}) == []


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"pad": 1}, "augment.pad is no known key; valid: crop, flip, resized_crop"),
        ({"crop": {}}, "augment.crop.pad is missing; it has no default"),
        ({"crop": {"pad": 0}}, "augment.crop.pad is 0; it should be greater than or equal to 1"),
        ({"flip": True}, "augment.flip is True; it should be a mapping of keys to values"),
    ],
)
def test_a_fault_names_the_key_and_what_is_allowed(entry, line):
    with pytest.raises(Fault) as fault:
        used(entry)
    assert f"{fault.value}" == f"params.yaml: train.recipe.{line}"


def test_settings_are_read_without_torch():
    code = "import sys; import stages.training.settings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("pad", "height", "width", "fits"),
    [(7, 8, 8, True), (8, 8, 8, False), (8, 9, 12, True), (9, 12, 9, False), (9, 9, 12, False)],
)
def test_a_crop_keeps_some_of_the_image(pad, height, width, fits):
    line = (
        f"train.recipe.augment.crop.pad is {pad}; for images of {width}x{height} pixels it should "
        f"be less than {min(height, width)}"
    )
    augment = parse(AUGMENT, {"crop": {"pad": pad}})
    assert list(augment.misfits(height, width)) == ([] if fits else [line])


def test_without_a_crop_every_size_is_fine():
    assert list(parse(AUGMENT, {"flip": {}}).misfits(1, 1)) == []
