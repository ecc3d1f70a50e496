"""Whether data/prepared holds the data that a study asks for."""

import pytest

from stages.data.described import described, describes, form_of
from stages.data.settings import DATA
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_json
from stages.pipeline.params import parse

DIGITS = {
    **{"source": "digits", "classes": [*"0123456789"], "channels": 1, "height": 8, "width": 8},
    **{"train": 810, "validation": 90, "test": 897},
}
OWN = {**DIGITS, "source": "folder", "height": 5, "width": 7, "classes": ["ant", "bee"]}


@pytest.mark.parametrize(
    ("about", "data", "same"),
    [
        (DIGITS, {"source": "digits"}, True),
        (DIGITS, {"source": "mnist"}, False),
        ({**DIGITS, "height": 9}, {"source": "digits"}, False),
        ({**DIGITS, "classes": ["a"]}, {"source": "digits"}, False),
        (OWN, {"source": "folder"}, True),
        (OWN, {"source": "arrays"}, False),
        (DIGITS, {"source": "digits", "train_limit": 900, "test_limit": 897}, True),
        (DIGITS, {"source": "digits", "train_limit": 899}, False),
        (DIGITS, {"source": "digits", "test_limit": 896}, False),
    ],
)
def test_source_form_and_limits_are_compared(about, data, same):
    assert describes(about, parse(DATA, data, "data")) is same


def test_images_of_ones_own_are_known_once_they_are_prepared(tmp_path):
    description, data = tmp_path / "description.json", parse(DATA, {"source": "folder"}, "data")
    with pytest.raises(Fault, match=r"description\.json: no such file; run `afterprune run prep"):
        described(data, description)
    write_json(description, OWN)
    assert form_of(described(data, description)) == (1, 5, 7, 2)


def test_other_images_are_told_in_one_line_that_names_both(tmp_path):
    description = tmp_path / "description.json"
    write_json(description, DIGITS)
    with pytest.raises(Fault) as fault:
        described(parse(DATA, {"source": "cifar10", "train_limit": 50}, "data"), description)
    assert str(fault.value) == (
        f"{tmp_path} holds digits (1x8x8, 10 classes, 900 and 897 images), and the study asks for "
        "cifar10 (3x32x32, 10 classes, train_limit 50); `afterprune run prepare` prepares what "
        "params.yaml asks for"
    )
