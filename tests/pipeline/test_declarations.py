"""dvc.yaml says of every stage what its code does: imports, keys read, paths read and written."""

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from itertools import product
from math import prod
from pathlib import Path, PurePosixPath

import pytest
from typer.testing import CliRunner

from stages.pipeline.declaration import declared
from stages.pipeline.digests import code_files, read_code
from stages.pipeline.params import lookup, read_yaml

ROOT = Path(__file__).parents[2]
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
PARAMS = read_yaml(ROOT / "stages/presets/default.yaml")
TRAINING = ("train", "checkpoint", "retrain", "iterate")
EXPENSIVE = (*TRAINING, "prune", "prune_iterative")
CODE = "build/code.json"
BUILDING = Path("stages/networks/building.py")
MODEL_CODE = "${model.code}"
WEIGHTS = "${train.weights}"
MADE = "build/made/"
"""Notes of what made the other outputs, which the guard writes."""
GATE = "build/params.ok"  # an order, not a content: nobody reads it, nor the next
TRIED = "build/network.ok"
PROJECT_FOLDERS = ("build/", "data/", "models/", "reports/")
DOWNLOADS = "data/downloads"  # filled and checked by digest by `prepare` itself
WILDCARD = re.compile(r"\$?\{[^}]*\}")

every_stage = pytest.mark.parametrize("name", STAGES)
every_stage_but_code = pytest.mark.parametrize("name", [name for name in STAGES if name != "code"])


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.chdir(ROOT)


def module(name):
    return re.match(r"python -m stages\.(\w+)", STAGES[name]["cmd"])[1]


def file(name):
    return Path("stages", f"{module(name)}.py")


def tree(name):
    return ast.parse(file(name).read_text())


def imported(name):
    """Return the files whose digest the code of a stage has."""
    return {Path(p) for p in code_files(module(name), PARAMS["model"]["code"], cache(read_code))}


def pattern(text):
    """Return a path or key with every template, of dvc.yaml or of an f-string, as a star."""
    return WILDCARD.sub("*", text)


def names(entries):
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def dependencies(name):
    return [
        pattern(dep) for dep in STAGES[name].get("deps", ()) if dep not in (MODEL_CODE, WEIGHTS)
    ]


def matrix(name):
    return STAGES[name].get("matrix", {})


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


def arguments(name, *functions):
    """Return what a stage module passes to functions as string literals."""
    calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    called = [call for call in calls if ast.unparse(call.func) in functions]
    texts = [text_of(argument) for call in called for argument in call.args[:2]]
    return {text for text in texts if text is not None}


def read_keys(name):
    """Return the keys that a stage reads; a module of two stages reads a method's key for each."""
    read = {pattern(key) for key in arguments(name, "stage.read", "stage.declares")}
    if "stage.params" in file(name).read_text():
        return read | keys(name)
    twins = [twin for twin in STAGES if module(twin) == module(name)]
    foreign = {key for twin in twins if twin != name for key in keys(twin)} - keys(name)
    return read - foreign


def keys(name):
    """Return the keys of params.yaml that dvc.yaml lists; "" is the whole file."""
    entries = STAGES[name].get("params", ())
    files = [entry for entry in entries if isinstance(entry, dict)]
    whole = {""} if any("params.yaml" in entry for entry in files) else set()
    return whole | {pattern(entry) for entry in entries if not isinstance(entry, dict)}


def within(path, other):
    """Whether one of two paths lies in the other."""
    mine, its = PurePosixPath(path).parts, PurePosixPath(other).parts
    short = min(len(mine), len(its))
    return mine[:short] == its[:short]


@every_stage
def test_a_stage_passes_its_matrix_and_nothing_else(name):
    """`${item}` is `--AXIS NAME` for each axis, as DVC fills it in, with the names quoted."""
    axes = ["${item}"] if matrix(name) else []
    assert STAGES[name]["cmd"] == " ".join([f"python -m stages.{module(name)}", *axes])


def test_every_module_at_the_top_is_a_stage():
    modules = {path.stem for path in Path("stages").glob("*.py")} - {"__init__"}
    assert modules == {module(name) for name in STAGES}


@every_stage
def test_a_stage_fits_a_page(name):
    assert len(file(name).read_text().splitlines()) <= 65


@every_stage_but_code
def test_a_stage_depends_on_the_digest_of_its_own_code(name):
    entries = [entry for entry in STAGES[name]["params"] if isinstance(entry, dict)]
    assert [entry[CODE] for entry in entries if CODE in entry] == [[f"code_{module(name)}"]]
    assert [dep for dep in STAGES[name].get("deps", ()) if dep.endswith(".py")] == []


def test_the_digests_depend_on_all_code():
    assert STAGES["code"]["deps"] == ["stages"]
    assert [path for path, _ in outputs("code")] == [CODE]


@every_stage
def test_a_dependency_is_declared_once(name):
    deps = STAGES[name].get("deps", [])
    inner = [
        dep
        for i, dep in enumerate(deps)
        if any(PurePosixPath(dep).is_relative_to(d) for d in deps[:i] + deps[i + 1 :])
    ]
    assert inner == []


@every_stage_but_code
def test_the_network_file_is_declared_where_networks_are_built(name):
    assert (MODEL_CODE in STAGES[name].get("deps", ())) == (BUILDING in imported(name))


@pytest.mark.parametrize("name", ["train", "checkpoint", "retrain"])
def test_training_runs_no_code_of_what_is_added_most(name):
    """A new criterion, metric, curve, dataset or word of the report trains nothing again."""
    apart = [
        *("pruning", "results", "reporting", "study", "data/sources", "presets", "commands"),
        *("evaluation/metrics.py", "schedules/registry.py"),
    ]
    found = [p for p in imported(name) if any(p.is_relative_to(f"stages/{a}") for a in apart)]
    assert found == []


WITHOUT_TORCH = ("code", "validate", "prepare", "dense_curve", "plan", "headline", "compare")


@pytest.mark.parametrize("name", [*WITHOUT_TORCH, *(n for n in STAGES if "evaluate" in n)])
def test_a_stage_that_runs_no_network_imports_no_torch(name):
    script = (
        f"import sys, stages.{module(name)}; "
        "sys.exit(', '.join({'torch', 'torchvision'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


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
    params = read_yaml("params.yaml")
    axes = {axis: lookup(params, source[2:-1]) for axis, source in matrix(name).items()}
    for items in product(*axes.values()):
        for key in declared(module(name), dict(zip(axes, items, strict=True))).params:
            lookup(params, key)


def test_params_are_opened_only_through_the_guard_and_the_loader():
    users = {
        str(path)
        for path in Path("stages").rglob("*.py")
        if "commands" not in path.parts and "read_yaml" in path.read_text()
    }
    assert users == {
        "stages/pipeline/params.py",
        "stages/pipeline/declaration.py",
        "stages/pipeline/digests.py",
        "stages/pipeline/guard.py",
        "stages/pipeline/made.py",
        "stages/compare.py",  # before the guard digests reports/arms, which it tidies
        "stages/presets/preset.py",
        "stages/reporting/studies/kept.py",  # the settings of studies that are kept
        "stages/reporting/studies/published.py",  # the values of papers, which stand in a file
    }


@every_stage
def test_a_stage_writes_what_it_declares(name):
    declared = {pattern(path) for path, _ in outputs(name) if not path.startswith(MADE)}
    assert arguments(name, "stage.output") == declared


@every_stage
def test_paths_in_a_stage_are_declared(name):
    paths = {text for text in literals(tree(name)) if text.startswith(PROJECT_FOLDERS)}
    listed = [*dependencies(name), *(pattern(path) for path, _ in outputs(name)), DOWNLOADS]
    assert {p for p in paths if " " not in p and not any(within(p, d) for d in listed)} == set()


@every_stage_but_code
def test_declared_paths_are_in_the_stage(name):
    paths = [text for text in literals(tree(name)) if "/" in text or text == "reports"]
    unread = [d for d in dependencies(name) if d not in (GATE, TRIED, "*")]
    assert [d for d in unread if not any(within(d, p) for p in paths)] == []


def test_the_users_files_are_a_dependency():
    assert "${data.root}" in STAGES["prepare"]["deps"]


@every_stage_but_code
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
    if any("${prune.method}" in dep for dep in STAGES[name].get("deps", [])):
        assert GATE in STAGES[name].get("deps", [])


def test_rooms_know_no_path_of_the_pipeline():
    made = [pattern(path) for name in STAGES for path, _ in outputs(name)]
    known = {
        (str(path), text)
        for path in Path("stages").glob("*/**/*.py")
        if not {"commands", "pipeline"} & {*path.parts}
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
    app = importlib.import_module(f"stages.{module(name)}").app
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100", "TERM": "dumb"})
    assert result.exit_code == 0
    shown = set(re.findall(r"--[a-z]+", result.output)) - {"--help"}
    assert shown == {f"--{axis}" for axis in matrix(name)}


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
