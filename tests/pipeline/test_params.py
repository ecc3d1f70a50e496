from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, union
from stages.pipeline.params import lookup, nearest, parse, read_yaml
from stages.pipeline.section import Name, Section


def step(total: int, *, factor: Annotated[float, Field(gt=0)], milestones: tuple[int, ...] = ()):
    """Stand for a curve with a needed option."""


def cosine(total: int, *, lr: Annotated[float, Field(gt=0)] | Literal["max", "last"] = "max"):
    """Stand for a curve whose option is a number or a name."""


CURVE = union([entry(f.__name__, f, "curve") for f in (step, cosine)], "curve")


class Augment(Section):
    pad: Annotated[int, Field(ge=0)] = 0
    flip: bool = False


class Study(Section):
    seeds: Annotated[int, Field(ge=1)]
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    start: Literal["final", "rewound", "fresh"] = "final"
    device: Annotated[str, Field(pattern="^(cpu|cuda)$")] = "cpu"
    augment: Augment = Augment()
    curve: CURVE = Field(default_factory=lambda: parse(CURVE, {"curve": "cosine"}))
    arms: Annotated[dict[Name, CURVE], Field(min_length=1)] = Field(
        default_factory=lambda: {"one": parse(CURVE, {"curve": "cosine"})}
    )
    options: dict[str, Any] = Field(default_factory=dict)


def told(**keys):
    """The lines of the Fault that a study with these keys makes."""
    with pytest.raises(Fault) as fault:
        parse(Study, {"seeds": 1, **keys})
    return str(fault.value).splitlines()


def one(keys):
    (line,) = told(**keys)
    return line


STUDY_KEYS = "arms, augment, curve, device, lr, options, seeds, start"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"seed": 1}, f"seed is no known key; did you mean 'seeds'? valid: {STUDY_KEYS}"),
        (
            {"augment": {"padd": 1}},
            "augment.padd is no known key; did you mean 'pad'? valid: flip, pad",
        ),
        (
            {"arms": {"one": {"curve": "step", "factr": 1}}},
            "arms.one.factr is no known key; "
            "did you mean 'factor'? valid: curve, factor, milestones",
        ),
        ({"start": "finl"}, "start is 'finl'; did you mean 'final'? valid: final, fresh, rewound"),
        ({"start": 3}, "start is 3; valid: final, fresh, rewound"),
        (
            {"curve": {"curve": "stp"}},
            "curve.curve is 'stp'; did you mean 'step'? valid: cosine, step",
        ),
        (
            {"arms": {"one": {"curve": "cosin"}}},
            "arms.one.curve is 'cosin'; did you mean 'cosine'? valid: cosine, step",
        ),
        ({"seeds": 0}, "seeds is 0; it should be greater than or equal to 1"),
        ({"augment": {"pad": -1}}, "augment.pad is -1; it should be greater than or equal to 0"),
        ({"lr": float("inf")}, "lr is inf; it should be a finite number"),
        ({"lr": float("nan")}, "lr is nan; it should be a finite number"),
        (
            {"arms": {"one": {"curve": "step", "factor": 0}}},
            "arms.one.factor is 0; it should be greater than 0",
        ),
    ],
)
def test_a_fault_is_a_line_with_key_value_and_what_is_allowed(keys, line):
    assert one(keys) == f"params.yaml: {line}"


@pytest.mark.parametrize(
    ("keys", "subject"),
    [
        ({"seeds": "many"}, "seeds is 'many'"),
        ({"seeds": 1.5}, "seeds is 1.5"),
        ({"seeds": None}, "seeds is None"),
        ({"lr": "fast"}, "lr is 'fast'"),
        ({"lr": [0.1]}, r"lr is \[0\.1\]"),
        ({"augment": {"flip": "maybe"}}, r"augment\.flip is 'maybe'"),
        ({"augment": 3}, "augment is 3"),
        ({"augment": None}, "augment is None"),
        ({"curve": "step"}, "curve is 'step'"),
        ({"arms": {"one": None}}, r"arms\.one is None"),
        ({"arms": []}, r"arms is \[\]"),
        ({"arms": {}}, r"arms is \{\}"),
        ({"arms": {"Big-One": {"curve": "cosine"}}}, r"arms\.Big-One is 'Big-One'"),
        (
            {"arms": {"one": {"curve": "step", "factor": 1, "milestones": ["a"]}}},
            r"arms\.one\.milestones\.0 is 'a'",
        ),
        ({"device": "gpu"}, "device is 'gpu'"),
        ({"options": {1: 2}}, r"options\.1 is 1"),
    ],
)
def test_a_wrong_type_is_a_line_with_key_and_value(keys, subject):
    with pytest.raises(Fault, match=rf"^params\.yaml: {subject}; it should [^\n]+$"):
        parse(Study, {"seeds": 1, **keys})


@pytest.mark.parametrize("keys", [{"augment": 3}, {"augment": None}, {"arms": {"one": None}}])
def test_a_wrong_type_is_told_in_the_words_of_yaml(keys):
    line = one(keys)
    assert not any(word in line for word in ("instance", "object", "Augment", "dictionary")), line


def test_a_number_or_a_name_lists_both():
    line = one({"curve": {"curve": "cosine", "lr": "maxx"}})
    assert line == (
        "params.yaml: curve.lr is 'maxx'; it should be a valid number, unable to parse string as a "
        "number, or did you mean 'max'? valid: last, max"
    )


def test_a_missing_key_is_told():
    with pytest.raises(Fault, match=r"^params\.yaml: seeds is missing; it has no default$"):
        parse(Study, {})
    assert one({"curve": {"curve": "step"}}) == (
        "params.yaml: curve.factor is missing; it has no default"
    )


def test_a_missing_tag_is_told():
    assert one({"arms": {"one": {}}}).startswith("params.yaml: arms.one.curve is missing; ")


def test_a_tag_that_is_null_is_told_as_it_is_and_not_guessed():
    line = one({"curve": {"curve": None}})
    assert line.startswith("params.yaml: curve.curve is None; ")
    assert "did you mean" not in line


def test_every_fault_has_its_line():
    lines = told(lr=-1, seeds=0, augment={"padd": 1, "fip": 2})
    assert len(lines) == 4
    assert all(line.startswith("params.yaml: ") for line in lines)


def test_faults_below_a_key_name_the_whole_key():
    with pytest.raises(Fault, match=r"^params\.yaml: train\.augment\.pad is -1; "):
        parse(Augment, {"pad": -1}, "train.augment")
    with pytest.raises(Fault, match=r"^params\.yaml: seeds is 'x'; it should be a valid integer"):
        parse(int, "x", "seeds")


@pytest.mark.parametrize(("text", "value"), [("1e-5", 1e-5), ("1e-05", 1e-5), ("1E3", 1000.0)])
def test_numbers_that_yaml_reads_as_text_are_numbers(text, value, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(f"seeds: 1\nlr: {text}\ncurve: {{curve: cosine, lr: {text}}}\n")
    tree = read_yaml(path)
    study = parse(Study, tree)
    assert isinstance(tree["lr"], str)
    assert (study.lr, study.curve.lr) == (value, value)
    assert isinstance(study.curve.lr, float)


def test_whole_numbers_are_floats_where_floats_are_asked_for():
    assert isinstance(parse(Study, {"seeds": 1, "lr": 1}).lr, float)
    assert parse(Study, {"seeds": 3.0}).seeds == 3


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "text\n", "3\n"])
def test_a_file_that_is_no_mapping_is_told(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(Fault, match=rf"^{path}: [^\n]*it should be a mapping"):
        read_yaml(path)


@pytest.mark.parametrize(
    "text", [b"a: [1", b"a: b: c", b"a:\n\t- 1", b"\xff\xfe\xfa", b"{a: 1}}", b"a: !!python/x 1"]
)
def test_a_file_that_is_no_yaml_is_one_line(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(text)
    with pytest.raises(Fault) as fault:
        read_yaml(path)
    assert str(fault.value).startswith(f"{path}: not valid YAML: ")
    assert "\n" not in str(fault.value)


def test_a_syntax_error_tells_its_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb: [1\nc: 2\n")
    with pytest.raises(Fault, match="line 3"):
        read_yaml(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(Fault, match=r"params\.yaml: no such file; run from the project's folder$"):
        read_yaml(tmp_path / "params.yaml")


def test_a_dotted_key_is_looked_up():
    tree = {"a": {"b": {"c": 0}}}
    assert lookup(tree, "a.b.c") == 0
    assert lookup(tree, "a.b") == {"c": 0}
    assert lookup(tree, "") is tree


@pytest.mark.parametrize(
    ("tree", "key", "line"),
    [
        (
            {"train": {"epochs": 1}},
            "train.epoch",
            "train.epoch is missing; did you mean 'epochs'? valid: epochs",
        ),
        (
            {"train": {}},
            "trian.epoch",
            "trian.epoch is missing; did you mean 'train'? valid: train",
        ),
    ],
)
def test_a_key_that_is_missing_is_told_with_the_nearest(tree, key, line):
    with pytest.raises(Fault) as fault:
        lookup(tree, key)
    assert str(fault.value) == f"params.yaml: {line}"


@pytest.mark.parametrize("tree", [{"a": 1}, {"a": None}, {"a": {}}, {"a": [1]}])
def test_a_key_below_none_is_told_without_an_empty_list(tree):
    with pytest.raises(Fault, match=r"^params\.yaml: a\.b is missing(; .*\w.*)?$") as fault:
        lookup(tree, "a.b")
    assert not str(fault.value).rstrip().endswith("valid:")


def test_the_nearest_name_is_the_one_that_was_meant():
    assert nearest("onecycel", ["scaled", "onecycle"]) == (
        "did you mean 'onecycle'? valid: onecycle, scaled"
    )
    assert nearest("xyz", ["scaled", "onecycle"]) == "valid: onecycle, scaled"


def test_the_project_reads_its_own_settings():
    assert read_yaml(Path(__file__).parents[2] / "params.yaml").keys() >= {"seed", "train"}
