"""dvc.yaml says of every stage what its code does: imports, keys read, paths read and written."""

import ast
import importlib
import re
from itertools import product
from math import prod
from pathlib import Path, PurePosixPath

import pytest
from typer.testing import CliRunner

from stages.declaration import declared
from stages.params.load import lookup, read_yaml
from stages.warm import LIBRARIES
from tests.pipeline.imports import closure, libraries

ROOT = Path(__file__).parents[2]
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
PARAMS = read_yaml(ROOT / "params.yaml")
TRAINING = ("train", "checkpoint", "retrain", "iterate")
EXPENSIVE = (*TRAINING, "prune", "prune_iterative")
TWIN = "_iterative"  # a second stage of the same module, for prune.iterative
MODEL_CODE = "${model.code}"
GATE = "build/params.ok"  # an order, not a content: nobody reads it
PROJECT_FOLDERS = ("build/", "data/", "models/", "reports/")
DOWNLOADS = "data/downloads"  # filled and checked by digest by `prepare` itself
WILDCARD = re.compile(r"\$?\{[^}]*\}")

every_stage = pytest.mark.parametrize("name", STAGES)


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.chdir(ROOT)


def module(name):
    return Path("stages", f"{name.removesuffix(TWIN)}.py")


def tree(name):
    return ast.parse(module(name).read_text())


def pattern(text):
    """Return a path or key with every template, of dvc.yaml or of an f-string, as a star."""
    return WILDCARD.sub("*", text)


def names(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def dependencies(name):
    return [pattern(dep) for dep in STAGES[name]["deps"] if not is_code(dep)]


def matrix(name):
    return STAGES[name].get("matrix", {})


def is_code(dep):
    return dep.startswith("stages/") or dep == MODEL_CODE


def code(name):
    return [Path(dep) for dep in STAGES[name]["deps"] if dep.startswith("stages/")]


def outputs(name):
    """Return the declared outputs as (path, options)."""
    entries = [e for kind in ("outs", "metrics", "plots") for e in STAGES[name].get(kind, ())]
    return [next(iter(e.items())) if isinstance(e, dict) else (e, {}) for e in entries]


def text_of(node):
    """Return a string literal, f-strings with stars, or None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "*" for part in node.values)
    return None


def literals(node):
    """Yield every string below a node, f-strings whole."""
    text = text_of(node)
    if text is not None:
        yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def imported_by_networks():
    networks = [
        f for f in Path("stages/models").glob("*.py") if "in_channels: int" in f.read_text()
    ]
    return {file for network in networks for file in closure(network) - {network}}


def arguments(name, *functions):
    """Return what a stage module passes to functions as string literals."""
    calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    called = [call for call in calls if ast.unparse(call.func) in functions]
    texts = [text_of(argument) for call in called for argument in call.args[:2]]
    return {text for text in texts if text is not None}


def read_keys(name):
    """Return the keys that a stage reads; a module of two stages reads a method's key for each."""
    read = {pattern(key) for key in arguments(name, "stage.read")}
    if name.endswith(TWIN):
        return read - {"prune.methods.*"}
    return read - {"prune.iterative.*"} if f"{name}{TWIN}" in STAGES else read


def keys(name):
    entries = STAGES[name].get("params", ())
    return {"" if isinstance(entry, dict) else pattern(entry) for entry in entries}


def within(path, other):
    """Whether one of two paths lies in the other."""
    mine, its = PurePosixPath(path).parts, PurePosixPath(other).parts
    short = min(len(mine), len(its))
    return mine[:short] == its[:short]


@every_stage
def test_a_stage_runs_the_module_of_its_name(name):
    """From the server's process if it needs what is slow to import."""
    prefix = "stages.launch " if "torch" in libraries(module(name)) else "stages."
    command = f"python -m {prefix}{module(name).stem}"
    twin = ["--iterative"] if name.endswith(TWIN) else []
    axes = [f"--{axis} ${{item.{axis}}}" for axis in matrix(name)]
    assert STAGES[name]["cmd"] == " ".join([command, *twin, *axes])


def test_the_server_loads_what_the_stages_it_forks_import():
    launched = [
        name for name in STAGES if STAGES[name]["cmd"].startswith("python -m stages.launch")
    ]
    needed = set().union(*(libraries(module(name)) for name in launched))
    assert {library.split(".")[0] for library in LIBRARIES} == needed


@every_stage
def test_what_a_stage_imports_is_declared(name):
    listed = code(name)
    missing = [f for f in closure(module(name)) if not any(f.is_relative_to(d) for d in listed)]
    assert sorted(map(str, missing)) == []


@every_stage
def test_code_that_a_stage_declares_is_imported(name):
    imported = closure(module(name))
    if MODEL_CODE in STAGES[name]["deps"]:
        imported |= imported_by_networks()
    unused = [d for d in code(name) if not any(f.is_relative_to(d) for f in imported)]
    assert list(map(str, unused)) == []


@every_stage
def test_a_dependency_is_declared_once(name):
    deps = STAGES[name]["deps"]
    inner = [
        dep
        for i, dep in enumerate(deps)
        if any(PurePosixPath(dep).is_relative_to(d) for d in deps[:i] + deps[i + 1 :])
    ]
    assert inner == []


@every_stage
def test_the_network_file_is_declared_where_networks_are_built(name):
    builds = Path("stages/models/registry.py") in closure(module(name))
    assert (MODEL_CODE in STAGES[name]["deps"]) == builds


@pytest.mark.parametrize("name", [name for name in STAGES if MODEL_CODE in STAGES[name]["deps"]])
def test_what_any_network_file_imports_is_declared(name):
    listed = code(name)
    assert [f for f in imported_by_networks() if not any(f.is_relative_to(d) for d in listed)] == []


@pytest.mark.parametrize("name", TRAINING)
def test_stages_that_train_depend_on_files_of_code_alone(name):
    assert [str(path) for path in code(name) if not path.is_file()] == []


@every_stage
def test_a_stage_declares_the_keys_it_reads(name):
    read = read_keys(name) | arguments(name, "lookup")
    listed = keys(name)
    covered = {key for key in read for k in listed if k in ("", key) or key.startswith(f"{k}.")}
    assert read - covered == set()


@every_stage
def test_a_stage_reads_the_keys_it_declares(name):
    assert keys(name) - read_keys(name) == set()


@every_stage
def test_declared_keys_exist(name):
    axes = {axis: lookup(PARAMS, source[2:-1]) for axis, source in matrix(name).items()}
    for items in product(*axes.values()):
        for key in declared(name, dict(zip(axes, items, strict=True))).params:
            lookup(PARAMS, key)


def test_params_are_opened_only_through_the_guard_and_the_loader():
    users = {
        str(path)
        for path in Path("stages").rglob("*.py")
        if "commands" not in path.parts and "read_yaml" in path.read_text()
    }
    assert users == {
        "stages/params/load.py",
        "stages/declaration.py",
        "stages/guard.py",
        "stages/compare.py",  # before the guard digests reports/arms, which it tidies
    }


@every_stage
def test_a_stage_writes_what_it_declares(name):
    assert arguments(name, "stage.output") == {pattern(path) for path, _ in outputs(name)}


@every_stage
def test_paths_in_a_stage_are_declared(name):
    paths = {text for text in literals(tree(name)) if text.startswith(PROJECT_FOLDERS)}
    listed = [*dependencies(name), *(pattern(path) for path, _ in outputs(name)), DOWNLOADS]
    assert {p for p in paths if " " not in p and not any(within(p, d) for d in listed)} == set()


@every_stage
def test_declared_paths_are_in_the_stage(name):
    paths = [text for text in literals(tree(name)) if "/" in text or text == "reports"]
    unread = [d for d in dependencies(name) if d not in (GATE, "*")]
    assert [d for d in unread if not any(within(d, p) for p in paths)] == []


def test_the_users_files_are_a_dependency():
    assert "${data.root}" in STAGES["prepare"]["deps"]


@every_stage
def test_params_are_validated_first(name):
    """With a bad name in params.yaml, a stage that reads an arm by name has no other way there."""
    waiting, before = [name], set()
    while waiting:
        stage = waiting.pop()
        before.add(stage)
        paths = [d for d in dependencies(stage) if d != "*"]
        made = [
            n
            for n in STAGES
            for out, _ in outputs(n)
            if any(within(p, pattern(out)) for p in paths)
        ]
        waiting += sorted(set(made) - before)
    assert "validate" in before
    if any("${prune.method}" in dep for dep in STAGES[name]["deps"]):
        assert GATE in STAGES[name]["deps"]


def test_rooms_know_no_path_of_the_pipeline():
    made = [pattern(path) for name in STAGES for path, _ in outputs(name)]
    known = {
        (str(path), text)
        for path in Path("stages").glob("*/**/*.py")
        if "commands" not in path.parts
        for text in literals(ast.parse(path.read_text()))
        if text.startswith(PROJECT_FOLDERS) and " " not in text
        if any(within(text, out) for out in made)
    }
    assert known == set()


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive_stages_have_cached_outputs_alone(name):
    assert {path: options for path, options in outputs(name) if options} == {}


def test_no_output_persists():
    kept = {path for name in STAGES for path, options in outputs(name) if "persist" in options}
    assert kept == set()


@every_stage
def test_a_stage_is_described(name):
    assert len(STAGES[name]["desc"].split()) > 3


@every_stage
def test_a_stage_names_its_options_in_its_help(name):
    app = importlib.import_module(f"stages.{module(name).stem}").app
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100", "TERM": "dumb"})
    assert result.exit_code == 0
    shown = set(re.findall(r"--[a-z]+", result.output)) - {"--help", "--iterative"}
    assert shown == {f"--{axis}" for axis in matrix(name)}
    assert ("--iterative" in result.output) == (f"{module(name).stem}{TWIN}" in STAGES)


def test_the_default_study_has_less_than_50_stages():
    sizes = [
        prod(len(lookup(PARAMS, source[2:-1])) for source in matrix(name).values())
        for name in STAGES
    ]
    assert sum(sizes) < 50


def test_ignored_patterns_are_anchored():
    """A bare `data/` would hide stages/data from git."""
    lines = Path(".gitignore").read_text().split()
    assert [p for p in lines if not p.removeprefix("!").startswith("/")] == ["__pycache__/"]
