import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import parse_yaml as dvc_reads
from pydantic import Field

from stages.pipeline.fault import Fault
from stages.pipeline.options import entry, union
from stages.pipeline.params import lookup, nearest, parse, parse_yaml, read_yaml
from stages.pipeline.section import Name, Section

ROOT = Path(__file__).parents[2]


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
        "params.yaml: curve.lr is 'maxx'; it should be a valid number, "
        "or did you mean 'max'? valid: last, max"
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
def test_a_number_with_an_exponent_is_a_number(text, value, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(f"seeds: 1\nlr: {text}\ncurve: {{curve: cosine, lr: {text}}}\n")
    tree = read_yaml(path)
    study = parse(Study, tree)
    assert isinstance(tree["lr"], float)
    assert (study.lr, study.curve.lr) == (value, value)
    assert isinstance(study.curve.lr, float)


def test_whole_numbers_are_floats_where_floats_are_asked_for():
    assert isinstance(parse(Study, {"seeds": 1, "lr": 1}).lr, float)


@pytest.mark.parametrize("value", [True, False, "1", "0", 1.0, "1.0", None, [1], {}])
@pytest.mark.parametrize(
    ("kind", "wrap", "key"),
    [
        (int, lambda value: value, "seed"),
        (Study, lambda value: {"seeds": value}, "seeds"),
        (Study, lambda value: {"seeds": 1, "augment": {"pad": value}}, "augment.pad"),
        (CURVE, lambda value: {"curve": "step", "factor": 1, "milestones": [value]}, "milestones"),
    ],
)
def test_a_whole_number_is_a_whole_number_alone(kind, wrap, key, value):
    with pytest.raises(Fault) as fault:
        parse(kind, wrap(value), "seed" if kind is int else "")
    key = f"{key}.0" if key == "milestones" else key
    assert str(fault.value) == f"params.yaml: {key} is {value!r}; it should be a valid integer"


@pytest.mark.parametrize("value", [True, "0.1", "1e-5", None])
def test_a_number_is_a_number_alone(value):
    line = one({"lr": value})
    assert line == f"params.yaml: lr is {value!r}; it should be a valid number"


@pytest.mark.parametrize("value", [0, 1, "true", "yes", None])
def test_a_truth_is_true_or_false_alone(value):
    line = one({"augment": {"flip": value}})
    assert line == f"params.yaml: augment.flip is {value!r}; it should be a valid boolean"


@pytest.mark.parametrize(
    ("given", "value", "kind"),
    [
        ("1e-5", 1e-5, float),
        ("1e5", 1e5, float),
        (".5", 0.5, float),
        ("5.", 5.0, float),
        ("1_0", 10, int),
        ("+5", 5, int),
    ],
)
def test_a_number_of_dvc_exp_run_is_a_number(given, value, kind, tmp_path):
    """What `dvc exp run -S lr=...` writes, by DVC's own function."""
    path = tmp_path / "params.yaml"
    path.write_text("lr: 1\n")
    apply_overrides(str(path), [f"lr={given}"])
    assert parse(kind, read_yaml(path)["lr"]) == value


@pytest.mark.parametrize("given", ["010", "0x1F", '"5"', "yes"])
def test_what_dvc_exp_run_writes_as_text_is_text(given, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("seeds: 1\n")
    apply_overrides(str(path), [f"seeds={given}"])
    with pytest.raises(Fault, match=r"seeds is '.+'; it should be a valid integer$"):
        parse(Study, read_yaml(path))


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


SCALARS = {
    "010": 10,
    "0o10": 8,
    "yes": "yes",
    "on": "on",
    "no": "no",
    "Off": "Off",
    "y": "y",
    "12:30": "12:30",
    "190:20:30": "190:20:30",
    "1e-5": 1e-5,
    "1e-05": 1e-5,
    "1E3": 1000.0,
    "1_000": 1000,
    "1_0.0_1": 10.01,
    "0x1F": 31,
    "0b11": 3,
    ".5": 0.5,
    "5.": 5.0,
    "+1": 1,
    "09": 9,
    "'010'": "010",
    "0.1.2": "0.1.2",
    "true": True,
    "TRUE": True,
    "~": None,
    "null": None,
    "": None,
    "-.inf": float("-inf"),
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_a_value_is_what_dvc_records(text, value):
    read = parse_yaml(f"a: {text}", "params.yaml")["a"]
    assert (read, type(read)) == (value, type(value))
    assert dvc_reads(f"a: {text}", "params.yaml") == {"a": value}


def test_pyyaml_which_reads_version_1_1_only_writes():
    files = (ROOT / "stages").rglob("*.py")
    users = [path for path in files if re.search(r"^import yaml|from yaml", path.read_text(), re.M)]
    assert [path.name for path in users] == ["keys.py"]
    assert re.findall(r"yaml\.(\w+)", users[0].read_text()) == ["safe_dump"]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: &x {b: 1}\nc:\n  <<: [*x, {e: 3}]\n  b: 2", {"a": {"b": 1}, "c": {"b": 2, "e": 3}}),
        ("a: &x [1, 2]\nb: *x\nc: *x", {"a": [1, 2], "b": [1, 2], "c": [1, 2]}),
        ("%YAML 1.1\n---\na: 010", {"a": 10}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: {yes: 1, 2: 3}", {"a": {"yes": 1, 2: 3}}),
    ],
)
def test_anchors_and_merge_keys_are_read_as_dvc_reads_them(text, tree):
    assert parse_yaml(text, "params.yaml") == dvc_reads(text, "params.yaml") == tree


def test_the_settings_that_ship_are_the_same_in_both_versions_of_yaml():
    """So that nothing was computed from other numbers when stages read YAML 1.1."""
    for path in [*ROOT.glob("*.yaml"), *ROOT.glob("stages/presets/*.yaml")]:
        assert read_yaml(path) == yaml.safe_load(path.read_text()), path


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2", 'not valid YAML: line 2: found duplicate key "a" with value "2"'),
        ("a:\n\tb: 1", "not valid YAML: line 2: found character that cannot start any token"),
        ("a: *nope", "not valid YAML: line 1: found undefined alias"),
        ("a: 1\n---\nb: 2", "not valid YAML: line 2: but found another document"),
        ("b: 1\na: !!python/object:x {}", "not valid YAML: line 2: could not determine a constr"),
        ("a: &x [*x]", "a.0 holds itself, by an alias; write it out"),
        ("a: &x {b: {c: *x}}", "a.b.c holds itself, by an alias; write it out"),
        ("a: " + 5000 * "1", "not valid YAML: Exceeds the limit (4300 digits) for integer string"),
        ("a: !!int x", "not valid YAML: invalid literal for int() with base 10: 'x'"),
        ("a: !!bool x", "not valid YAML: "),
        ("a: 2024-13-45", "not valid YAML: month must be in 1..12"),
        ("a: {b: 2024-01-31}", "a.b is 2024-01-31, a date; put it in quotes if it is text"),
        ("a: !!set {x}", "a is {'x'}, a set; put it in quotes if it is text"),
        ("a: " + 200 * "[" + 200 * "]", "it holds more than 100000 values, or 100 in one another"),
        ("a: " + 9000 * "[" + 9000 * "]", "it holds more than 100000 values, or 100 in one anoth"),
    ],
)
def test_what_no_one_means_is_one_line(text, line, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(Fault) as fault:
        read_yaml(path)
    assert str(fault.value).startswith(f"{path}: {line}")
    assert "\n" not in str(fault.value)
    assert len(str(fault.value)) < 200 + len(str(path))


def test_aliases_that_stand_for_billions_of_values_are_refused_at_once():
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{c}: &{c} [{', '.join(9 * [f'*{b}'])}]" for b, c in pairwise("abcdefghi")]
    begun = time.monotonic()
    with pytest.raises(Fault, match="it holds more than 100000 values"):
        parse_yaml("\n".join(lines), "params.yaml")
    assert time.monotonic() - begun < 1


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(Fault, match=r"Is a directory; it should be a YAML file$"):
        read_yaml(tmp_path)


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
    assert read_yaml(ROOT / "params.yaml").keys() >= {"seed", "train"}


def test_a_list_that_is_too_short_for_its_type_is_one_line():
    with pytest.raises(Fault, match=r"^params\.yaml: pair\.1 is missing; it has no default$"):
        parse(tuple[int, str], (1,), "pair")
