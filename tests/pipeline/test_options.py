from typing import Annotated, Literal

import pytest
from annotated_types import Ge

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, options_of, own_options, union
from stages.pipeline.params import parse
from stages.pipeline.section import Section


class Base(Section):
    start: Literal["final", "fresh"] = "final"


def step(
    total: int,
    dense: float = 0.0,
    *,
    milestones: tuple[int, ...],
    factor: Annotated[float, Ge(0)] = 0.1,
) -> None:
    """Stand for a registered function."""


def plain(total: int) -> None:
    """Stand for one without options."""


def postponed(
    total: "nn.Module",  # noqa: F821
    *,
    factor: "Annotated[float, Ge(0)] | None" = 0.1,
) -> "Tensor":  # noqa: F821
    """Stand for one whose annotations are strings, with types that only a type checker knows."""


ENTRY = union([entry(f.__name__, f, "curve", Base) for f in (step, plain)], "curve")


def test_options_are_the_keyword_only_parameters():
    assert own_options(step) == {
        "milestones": (tuple[int, ...], ...),
        "factor": (Annotated[float, Ge(0)], 0.1),
    }
    assert own_options(plain) == {}


def test_an_entry_names_its_function_and_holds_its_options():
    got = parse(ENTRY, {"curve": "step", "milestones": [1, 2], "start": "fresh"})
    assert options_of(got, "curve", Base) == {"milestones": (1, 2), "factor": 0.1}
    assert (got.curve, got.start) == ("step", "fresh")
    assert options_of(parse(ENTRY, {"curve": "plain"}), "curve", Base) == {}


def test_options_reach_the_function_as_they_are():
    step(1, **options_of(parse(ENTRY, {"curve": "step", "milestones": []}), "curve", Base))


def test_further_fields_stand_beside_the_options():
    kind = entry("step", step, "curve", Base, {"extra": (int, ...)})
    assert parse(kind, {"curve": "step", "milestones": [], "extra": 3}).extra == 3


def test_options_written_as_strings_get_their_types():
    kind = entry("postponed", postponed, "curve", Base)
    assert options_of(parse(kind, {"curve": "postponed"}), "curve", Base) == {"factor": 0.1}
    assert parse(kind, {"curve": "postponed", "factor": None}).factor is None
    with pytest.raises(Fault, match="factor is -1; it should be greater"):
        parse(kind, {"curve": "postponed", "factor": -1})


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"curve": "step"}, "a.milestones is missing"),
        ({"curve": "step", "milestones": [], "factor": -1}, "a.factor is -1; it should be greater"),
        ({"curve": "plain", "factor": 1}, "a.factor is no known key; valid: curve, start"),
        ({"curve": "plain", "start": "finl"}, "a.start is 'finl'; did you mean 'final'?"),
        ({"curve": "plin"}, "a.curve is 'plin'; did you mean 'plain'? valid: plain, step"),
        ({}, "a.curve is missing"),
    ],
)
def test_a_bad_entry_is_a_fault_without_the_name_of_its_type(keys, line):
    with pytest.raises(Fault) as fault:
        parse(ENTRY, keys, "a")
    assert str(fault.value).startswith(f"params.yaml: {line}")
