import pytest
from pydantic import Field, ValidationError

from stages.pipeline.params import parse
from stages.pipeline.section import Section


class Inner(Section):
    pad: int = 0


class Outer(Section):
    inner: Inner = Inner()
    sizes: tuple[int, ...] = ()
    count: int = Field(default=1, ge=1)


def test_settings_cannot_be_changed():
    outer = parse(Outer, {"inner": {"pad": 1}})
    with pytest.raises(ValidationError):
        outer.count = 2
    with pytest.raises(ValidationError):
        outer.inner.pad = 2
    assert (outer.count, outer.inner.pad) == (1, 1)


def test_lists_arrive_as_tuples():
    assert parse(Outer, {"sizes": [1, 2]}).sizes == (1, 2)


def test_equal_settings_are_equal():
    assert parse(Outer, {"count": "2"}) == Outer(count=2)
    assert parse(Outer, {}) != Outer(count=2)


def test_what_is_parsed_is_left_as_it_was():
    tree = {"inner": {"pad": "1"}, "sizes": [1]}
    parse(Outer, tree)
    assert tree == {"inner": {"pad": "1"}, "sizes": [1]}
