import pytest

from stages.data.sources.raw import Form
from stages.data.sources.registry import SOURCES


def test_a_form_is_what_the_source_reads(tmp_path):
    raw = SOURCES["digits"].read(tmp_path, tmp_path)
    assert SOURCES["digits"].form == Form(*raw.train_images.shape[1:], len(raw.classes))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("mnist", (1, 28, 28, 10)),
        ("fashion_mnist", (1, 28, 28, 10)),
        ("cifar10", (3, 32, 32, 10)),
        ("cifar100", (3, 32, 32, 100)),
        ("folder", None),
    ],
)
def test_forms_are_known_before_a_download(name, form):
    assert SOURCES[name].form == form
