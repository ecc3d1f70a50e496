"""The digest of a stage's code: which files count, what an edit reruns, and who checks."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from stages.pipeline import digests
from stages.pipeline.digests import PLUMBING, check_code, check_codes, code_digest, code_digests
from stages.pipeline.fault import Fault
from stages.pipeline.source import read_source

ROOT = Path(__file__).parents[2]
MODEL = "stages/models/resnet.py"
TRAINING = {"train", "checkpoint", "retrain", "iterate"}


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    """A copy of the code that a test may edit."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=ignored)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def changed(edit, model=MODEL):
    """Return the stages whose digest an edit changes."""
    before = code_digests(model)
    edit()
    after = code_digests(model)
    assert before.keys() == after.keys()
    return {key.removeprefix("code_") for key in before if before[key] != after[key]}


def append(path, text="\nADDED = 1\n"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).open("a") as file:
        file.write(text)


def write(files):
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def test_the_digest_of_a_stage_is_what_it_always_was(tree):
    """A constant: were it to change, every stage of every study would run again."""
    shutil.rmtree(tree / "stages")
    write(
        {
            "stages/__init__.py": '"""The stages."""\n',
            "stages/train.py": "from stages.room import loop  # the loop\n",
            "stages/room/__init__.py": "",
            "stages/room/loop.py": 'def loop():\n    """Train."""\n    return 1\n',
            "stages/room/page.txt": "# a page\n",
        }
    )
    counted = {
        "stages/__init__.py": "",
        "stages/room/__init__.py": "",
        "stages/room/loop.py": "def loop():\n    return 1",
        "stages/room/page.txt": "# a page\n",
        "stages/train.py": "from stages.room import loop",
    }
    pairs = [[p, hashlib.sha256(text.encode()).hexdigest()] for p, text in counted.items()]
    expected = hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]
    assert code_digest("train", "") == expected == "eeb4395be88da348"


# Which files count.


def files(module="train", model=MODEL):
    return digests.code_files(module, model, digests.read_code)


def test_a_module_counts_with_its_packages_and_what_these_import(tree):
    write(
        {
            "stages/__init__.py": "",
            "stages/new/__init__.py": "from stages.other import thing\n",
            "stages/new/inner/__init__.py": "",
            "stages/new/inner/module.py": "def name(): pass\n",
            "stages/new/inner/unused.py": "",
            "stages/other/thing.py": "",
            "stages/train.py": "from stages.new.inner.module import name\n",
        }
    )
    assert files() == {
        *("stages/__init__.py", "stages/train.py", "stages/other/thing.py"),
        *("stages/new/__init__.py", "stages/new/inner/__init__.py", "stages/new/inner/module.py"),
    }


def test_a_circle_of_imports_ends(tree):
    circle = {"stages/train.py": "import stages.a", "stages/a.py": "import stages.train"}
    write({"stages/__init__.py": "", **circle})
    assert files() == {"stages/__init__.py", "stages/a.py", "stages/train.py"}


def test_other_files_of_the_folders_count(tree):
    write(
        {
            "stages/__init__.py": "",
            "stages/train.py": "import stages.new.module\n",
            "stages/new/module.py": "",
            "stages/new/page.md.j2": "a page",
            "stages/new/data/table.csv": "of another folder",
            "stages/new/.module.py.swp": "",
            "stages/new/page.md.j2~": "",
            "stages/new/__pycache__/module.pyc": "",
        }
    )
    assert files() - {"stages/__init__.py"} == {
        *("stages/train.py", "stages/new/module.py", "stages/new/page.md.j2")
    }


def test_every_other_file_lies_where_it_counts():
    """A folder of data alone belongs to no stage; presets are read by a command."""
    homeless = [
        str(path)
        for path in Path("stages").rglob("*")
        if path.is_file() and not list(path.parent.glob("*.py"))
    ]
    assert [path for path in homeless if not path.startswith("stages/presets/")] == []


def test_plumbing_is_left_out_and_what_it_imports_is_not(tree):
    write(
        {
            "stages/train.py": "from stages.pipeline.guard import guarded\n",
            "stages/pipeline/guard.py": "from stages.pipeline import params, watch\n",
            "stages/pipeline/watch.py": "import stages.other\n",
            "stages/pipeline/params.py": "",
            "stages/other.py": "",
        }
    )
    assert files() == {
        *("stages/__init__.py", "stages/pipeline/__init__.py"),
        *("stages/train.py", "stages/pipeline/params.py", "stages/other.py"),
    }


def test_plumbing_is_of_the_pipeline_and_imports_no_room():
    assert all(Path(path).is_file() for path in PLUMBING)
    imported = {path for file in PLUMBING for path in digests.read_code(file).imports}
    inside = {p for p in imported if p.startswith(("stages/__init__", "stages/pipeline/"))}
    assert imported == inside
    loaded = {"files", "params", "section", "options", "recovery"}
    assert {f"stages/pipeline/{name}.py" for name in loaded} & PLUMBING == set()


def test_the_network_counts_by_what_it_imports(tree):
    write(
        {
            "stages/__init__.py": "",
            "stages/train.py": "import stages.networks.building\n",
            "stages/networks/building.py": "",
            "mynets/net.py": "from stages.models.blocks import block\nimport torch\n",
            "stages/models/blocks.py": "import stages.models.inner",
            "stages/models/inner.py": "",
        }
    )
    with_network = files(model="mynets/net.py")
    assert {"stages/models/blocks.py", "stages/models/inner.py"} <= with_network
    assert "mynets/net.py" not in with_network
    write({"stages/train.py": ""})
    assert files(model="mynets/net.py") == {"stages/__init__.py", "stages/train.py"}


def test_a_network_below_stages_counts_with_its_package(tree):
    write({"stages/models/__init__.py": "import stages.other", "stages/other.py": ""})
    network = files(model="stages/models/vgg.py")
    assert {"stages/models/__init__.py", "stages/other.py"} <= network
    assert "stages/models/vgg.py" not in network


@pytest.mark.parametrize(
    "text", ["from mynets.blocks import block", "import mynets.blocks", "from mynets import blocks"]
)
def test_code_outside_stages_is_refused_when_a_network_imports_it(tree, text):
    write({"mynets/net.py": text, "mynets/blocks.py": ""})
    message = (
        r"^mynets/net\.py: it imports mynets/blocks\.py, .*"
        r"move it below stages/, for instance to stages/models/blocks\.py$"
    )
    with pytest.raises(Fault, match=message):
        code_digest("train", "mynets/net.py")


@pytest.mark.parametrize(
    "code", ["mynets/none.py", "mynets/net.txt", "mynets", "/tmp/net.py", "../net.py", ""]
)
def test_a_network_that_is_no_file_of_the_project_is_refused(tree, code):
    write({"mynets/net.txt": ""})
    with pytest.raises(Fault, match=f"^params.yaml: model.code is {code!r}; it should be"):
        code_digest("train", code)


@pytest.mark.parametrize(
    ("link", "is_folder"),
    [
        ("stages/models/linked.py", False),
        ("stages/linked", True),
        ("stages/pipeline/template.j2", False),
        ("mynets/linked.py", False),
        ("mynets", True),
    ],
)
def test_a_link_to_code_outside_is_refused(link, is_folder, tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside").resolve()
    (outside / "linked.py").write_text("x = 1\n")
    Path(link).parent.mkdir(parents=True, exist_ok=True)
    Path(link).symlink_to(outside if is_folder else outside / "linked.py")
    model = link if link.startswith("mynets/") else "mynets/linked.py"
    if not link.startswith("mynets"):
        imports = {"stages/linked": "import stages.linked.linked"}
        model = MODEL if link.endswith(".j2") else "net.py"
        write({"net.py": imports.get(link, "import stages.models.linked")})
    found = rf"^(stages|mynets)/.*: a link to {outside}.*, outside the project; copy it here$"
    with pytest.raises(Fault, match=found):
        code_digest("train", model)


def test_a_link_inside_the_project_is_code_of_the_project(tree):
    write({"mynets/net.py": "x = 1", "mynets/same.py": "x = 1"})
    before = code_digest("train", "mynets/net.py")
    Path("mynets/net.py").unlink()
    Path("mynets/net.py").symlink_to("same.py")
    assert code_digest("train", "mynets/net.py") == before


def test_no_stage_imports_a_command():
    read = digests.cache(digests.read_code)
    modules = [key.removeprefix("code_") for key in code_digests(MODEL)]
    closures = {path for module in modules for path in digests.code_files(module, MODEL, read)}
    assert [path for path in closures if path.startswith("stages/commands/")] == []


# What an edit reruns.


def test_every_stage_module_has_a_digest(tree):
    modules = {path.stem for path in Path("stages").glob("*.py")} - {"__init__", "code"}
    digests = code_digests(MODEL)
    assert set(digests) == {f"code_{name}" for name in modules}
    assert all(re.fullmatch("[0-9a-f]{16}", digest) for digest in digests.values())
    assert len(set(digests.values())) == len(digests)


def test_the_digest_of_one_stage_is_that_of_all():
    assert code_digests(MODEL) == {
        f"code_{name}": code_digest(name, MODEL)
        for name in (key.removeprefix("code_") for key in code_digests(MODEL))
    }


def test_docstrings_comments_and_blank_lines_rerun_nothing():
    def edit():
        for path in Path("stages").rglob("*.py"):
            text = path.read_text()
            lines = [f"{line}  " if '"""' not in line else line for line in text.split("\n")]
            closed = [f"{line}  # edited" if line == "    return" else line for line in lines]
            head = '"""Another docstring."""\n' if not text.startswith('"""') else ""
            path.write_text(head + "\n".join(closed) + "\n\n\n# The end.\n")

    assert changed(edit) == set()


@pytest.mark.parametrize("path", [*sorted(PLUMBING), "stages/commands/keep.py", "stages/code.py"])
def test_plumbing_and_commands_rerun_nothing(path):
    assert changed(lambda: append(path)) == set()


def test_the_loop_trains():
    reran = changed(lambda: append("stages/training/loop.py"))
    assert reran >= TRAINING
    assert reran & {"validate", "prepare", "dense_curve", "plan", "evaluate", "compare"} == set()


def test_a_metric_never_trains():
    reran = changed(lambda: append("stages/evaluation/metrics.py"))
    assert {"evaluate", "evaluate_pruned", "evaluate_dense"} <= reran
    assert reran & {*TRAINING, "prune", "plan", "prepare", "dense_curve"} == set()


def test_a_template_changes_the_report_alone():
    reran = changed(lambda: append("stages/reporting/page.md.j2"))
    assert "compare" in reran
    assert reran <= {"compare", "headline", "validate"}  # which reads the settings in that folder


def test_another_network_file_changes_no_digest():
    """It is a dependency in dvc.yaml; the stages that build networks list it."""
    assert changed(lambda: append(MODEL)) == set()
    assert changed(lambda: append("stages/models/new.py")) == set()


def test_the_loader_changes_every_stage():
    modules = {key.removeprefix("code_") for key in code_digests(MODEL)}
    assert changed(lambda: append("stages/pipeline/params.py")) == modules


def test_a_file_read_once_is_not_read_again(tree):
    read_source.cache_clear()
    code_digest("train", MODEL)
    first = read_source.cache_info().misses
    code_digests(MODEL)
    after = read_source.cache_info()
    assert after.misses == after.currsize
    assert after.hits == first > 50


# Who checks.


def record(digests):
    write({"build/code.json": json.dumps(digests)})


def test_code_as_recorded_passes():
    record(code_digests(MODEL))
    assert check_code("train", MODEL) == code_digest("train", MODEL)
    check_codes(MODEL)


@pytest.mark.parametrize("digests", [{"code_train": "0123456789abcdef"}, {}])
def test_code_that_is_not_recorded_is_refused(digests):
    record(digests)
    message = r"^build/code\.json: the code of train has .*`dvc repro -f -s code`"
    with pytest.raises(Fault, match=message):
        check_code("train", MODEL)


def test_a_missing_record_is_refused():
    with pytest.raises(Fault, match=r"^build/code\.json: no such file"):
        check_code("train", MODEL)


def test_an_edit_is_refused_and_its_undoing_passes():
    record(code_digests(MODEL))
    file = Path("stages/training/loop.py")
    text = file.read_text()
    append(str(file))
    with pytest.raises(Fault, match="code of train has"):
        check_code("train", MODEL)
    with pytest.raises(Fault, match="code of checkpoint, iterate, retrain, train has"):
        check_codes(MODEL)
    check_code("prepare", MODEL)
    file.write_text(text)
    check_code("train", MODEL)
