"""Texts of params.yaml that cannot be read, and several mistakes at once."""

import os
from pathlib import Path

import pytest

from stages import prepare, validate
from tests.mistakes.edits import edit
from tests.mistakes.harness import call, check, nothing_done

PARAMS = Path("params.yaml")
LAUGHS = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 9))

TEXTS: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "it holds None; it should be a mapping of keys to values"),
    "a comment": ("# seed: 0\n", "it holds None; it should be a mapping of keys to values"),
    "a word": ("seed", "it holds 'seed'; it should be a mapping of keys to values"),
    "a list": ("- seed: 0\n", "it holds [{'seed': 0}]; it should be a mapping of keys to values"),
    "a long list": (f"[{'1, ' * 900}]", "…; it should be a mapping of keys to values"),
    "a tab": ("seed: 0\n\tseeds: 1\n", "not valid YAML: line 2: "),
    "a brace that is open": ("seed: {a: 1\n", "not valid YAML: line "),
    "a quote that is open": ("seed: 'a\n", "not valid YAML: line "),
    "two colons": ("seed: a: b\n", "not valid YAML: line 1: mapping values are not allowed"),
    "a key twice": ("seed: 0\nseed: 1\n", "not valid YAML: line 2: found duplicate key"),
    "an unknown alias": ("seed: *nobody\n", "not valid YAML: line 1: found undefined alias"),
    "a tag of Python": ("seed: !!python/object/apply:os.system [ls]\n", "not valid YAML: line 1: "),
    "a tag of no one": ("seed: !mine 3\n", "not valid YAML: line 1: "),
    "two documents": ("seed: 0\n---\nseed: 1\n", "not valid YAML: line 2: "),
    "a date": ("seed: 2024-01-31\n", "seed is 2024-01-31, a date; put it in quotes if it is text"),
    "a set": ("seed: !!set {a, b}\n", "seed is {"),
    "bytes": ("seed: !!binary aGVsbG8=\n", "seed is b'hello', a bytes; put it in quotes if"),
    "a mapping that holds itself": (
        "seed: &a {b: *a}\n",
        "seed.b holds itself, by an alias",
    ),
    "a list that holds itself": (
        "seed: &a [1, *a]\n",
        "seed.1 holds itself, by an alias",
    ),
    "all that holds itself": ("&a\nseed: *a\n", "seed holds itself, by an alias; write it out"),
    "a name that breaks lines": ('"a\\nb": &a [*a]\n', "'a\\nb.0' holds itself, by an alias"),
    "a billion laughs": (f"x0: &x0 [1]\n{LAUGHS}", "it holds more than 100000 values, or 100 in"),
    "lists 120 deep": (f"seed: {'[' * 120}{']' * 120}\n", "more than 100000 values, or 100 in one"),
    "lists 100,000 deep": (
        f"seed: {'[' * 100_000}{']' * 100_000}\n",
        "more than 100000 values, or 100 in",
    ),
    "mappings 3,000 deep": (f"seed: {'{a: ' * 3000}{'}' * 3000}\n", "100000 values, or 100 in"),
    "a number of 5,000 digits": (f"seed: {'9' * 5000}\n", "not valid YAML: Exceeds the limit"),
    "a NUL": ("seed: 0\0\n", "not valid YAML: "),
    "a byte of no text": (b"seed: \xff\n", "not valid YAML: "),
    "UTF-16": ("seed: 0\n".encode("utf-16"), "not valid YAML: "),
    "a picture": (b"\x89PNG\r\n\x1a\n", "not valid YAML: "),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("what", TEXTS)
def test_a_text_that_cannot_be_read_is_a_line(what):
    text, line = TEXTS[what]
    PARAMS.write_bytes(text if isinstance(text, bytes) else text.encode())
    with nothing_done(Path()):
        check(call(validate.app), ("params.yaml: ", line))


def missing():
    PARAMS.unlink()


def folder():
    PARAMS.unlink()
    PARAMS.mkdir()


def broken_link():
    PARAMS.unlink()
    PARAMS.symlink_to("nowhere")


def linked_to_itself():
    PARAMS.unlink()
    PARAMS.symlink_to(PARAMS)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (missing, "no such file; run from the project's folder"),
        (folder, "Is a directory; it should be a YAML file"),
        (broken_link, "no such file; run from the project's folder"),
        (linked_to_itself, "Too many levels of symbolic links; it should be a YAML file"),
    ],
)
def test_a_file_that_is_not_there_is_a_line(spoil, line):
    spoil()
    with nothing_done(Path()):
        check(call(validate.app), ("params.yaml: ", line))


@pytest.mark.usefixtures("project")
def test_every_mistake_has_its_line():
    edit({"seeds": "0", "train.lr": "fast", "retrain.schedules.onecycle.maxlr": "1", "sed": "1"})
    with nothing_done(Path()):
        ended = call(validate.app)
    check(
        ended,
        "seeds is 0; it should be greater than or equal to 1",
        "train.lr is 'fast'; it should be a valid number",
        "retrain.schedules.onecycle.maxlr is no known key; did you mean 'max_lr'?",
        "sed is no known key; did you mean 'seed'?",
    )


@pytest.mark.usefixtures("project")
def test_every_mistake_between_sections_has_its_line():
    edit({"prune.method": "l3", "compare.baseline": "tuned", "model.factory": "resnet9"})
    with nothing_done(Path()):
        ended = call(validate.app)
    check(
        ended,
        "prune.method is 'l3'; valid: l1, random",
        "compare.baseline is 'tuned'; ",
        "model.factory is 'resnet9'; did you mean 'resnet8'?",
    )


SPOILED = {
    "build/code.json": [
        (None, "build/code.json: no such file; run `dvc repro` to make it"),
        ("{", "build/code.json: not valid JSON"),
        ("{}", "build/code.json: the code of prepare has another digest now; run `dvc repro -f"),
    ],
    "dvc.yaml": [
        (None, "dvc.yaml: no such file; run from the project's folder"),
        ("stages: {}", "dvc.yaml: no stage runs 'prepare'"),
        ("x: 1", "dvc.yaml: stages is missing; valid: x"),
    ],
    "build/params.ok": [(None, "build/params.ok: no such file or folder; run `dvc repro` to make")],
}


@pytest.mark.parametrize(
    ("name", "text", "line"), [(name, *case) for name, cases in SPOILED.items() for case in cases]
)
def test_a_file_of_the_project_that_is_spoiled_is_a_line(project, name, text, line):
    path = project / name
    before, state = path.read_bytes(), path.stat()
    try:
        path.unlink() if text is None else path.write_text(text)
        with nothing_done(project):
            check(call(prepare.app), line)
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
