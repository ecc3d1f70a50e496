import pytest
from pydantic import Field, ValidationError

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.pipeline.section import Rising, Section


class Inner(Section):
    pad: int = 0


class Outer(Section):
    inner: Inner = Inner()
    sizes: tuple[int, ...] = ()
    steps: Rising[int] = ()
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


@pytest.mark.parametrize("values", [[2, 1], [1, 1], [1, 3, 2], [0, 0, 1]])
def test_a_rising_list_rises(values):
    with pytest.raises(Fault) as fault:
        parse(Outer, {"steps": values})
    rule = "it should be in rising order, each value once"
    assert str(fault.value) == f"params.yaml: steps is {values}; {rule}"
    for fine in ([], [5], [1, 2, 30]):
        assert parse(Outer, {"steps": fine}).steps == tuple(fine)


def test_a_list_that_is_none_is_told_as_yaml_has_it():
    with pytest.raises(Fault, match=r"^params\.yaml: sizes is 3; it should be a list$"):
        parse(Outer, {"sizes": 3})
    with pytest.raises(Fault, match=r"^params\.yaml: inner is \[1\]; it should be a mapping"):
        parse(Outer, {"inner": [1]})


def test_equal_settings_are_equal():
    assert parse(Outer, {"count": 2}) == Outer(count=2)
    assert parse(Outer, {}) != Outer(count=2)


def test_what_is_parsed_is_left_as_it_was():
    tree = {"inner": {"pad": 1}, "sizes": [1]}
    parse(Outer, tree)
    assert tree == {"inner": {"pad": 1}, "sizes": [1]}
