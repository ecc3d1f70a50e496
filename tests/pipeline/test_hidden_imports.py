"""No stage reaches code or docstrings that the imports of its files do not show."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    # The file of the network is a dependency of its own, and what it imports is in the closure.
    "stages/networks/building.py": {
        "import importlib",
        "import_module",
        "sys.modules",
        "__file__",
    },
    # Whether a package is installed, and the name of the command; neither reaches a file of ours.
    "stages/networks/exporting.py": {"import importlib.util"},
    "stages/pipeline/command.py": {"sys.modules"},
}
CALLS = {"exec", "eval", "compile", "__import__", "globals", "locals"}
ATTRIBUTES = {"__doc__", "__subclasses__", "import_module", "use_attribute_docstrings"}
ATTRIBUTES |= {"getsource", "getsourcelines", "getsourcefile", "getdoc", "getcomments", "cleandoc"}
MODULES = {"importlib", "pkgutil", "runpy", "zipimport", "linecache"}
BESIDE = re.compile(r"Path\(__file__\)\.parent(?!\.|s)")
"""A file beside the code that reads it counts; one elsewhere would not."""


@pytest.fixture(autouse=True)
def root(monkeypatch):
    monkeypatch.chdir(ROOT)


def hidden(tree):
    """Yield what can reach code or text that the imports of a file do not show."""
    projects = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    if alias.name.split(".")[0] in MODULES:
                        yield "import importlib"
                    if alias.name.startswith("stages"):
                        projects.add(alias.asname or alias.name.split(".")[0])
            case ast.ImportFrom(module=module, names=names):
                module = module or ""
                if module.split(".")[0] in MODULES:
                    yield f"import {module}"
                if any(alias.name == "*" for alias in names):
                    yield "import *"
                for alias in names:
                    path = Path(*module.split("."), alias.name)
                    if path.with_suffix(".py").is_file() or path.is_dir():
                        projects.add(alias.asname or alias.name)
                    if alias.name in ATTRIBUTES:
                        yield alias.name
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield name
            case ast.Call(func=ast.Name(id="getattr" | "vars"), args=[ast.Name(id=name), *_]):
                if name in projects:
                    yield f"names of {name}"
            case ast.Attribute(attr=name) if name in ATTRIBUTES:
                yield name
            case ast.Attribute(attr="modules", value=ast.Name(id="sys")):
                yield "sys.modules"
            case ast.Name(id="__doc__"):
                yield "__doc__"
            case ast.keyword(arg="use_attribute_docstrings"):
                yield "use_attribute_docstrings"
    if "__file__" in BESIDE.sub("", ast.unparse(tree)):
        yield "__file__"


def test_names_are_resolved_by_imports_alone():
    """Commands may do as they like: no stage imports them."""
    found = {}
    for path in sorted(Path("stages").rglob("*.py")):
        names = set(hidden(ast.parse(path.read_text())))
        if not {"commands", "runner"} & {*path.parts} and names - ALLOWED.get(str(path), set()):
            found[str(path)] = sorted(names)
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        *("import importlib.util", "from importlib import import_module", "import pkgutil"),
        *("exec('1')", "eval('1')", "__import__('a')", "globals()['a']", "f.__doc__"),
        *("__doc__", "inspect.getsource(f)", "from inspect import getdoc", "A.__subclasses__()"),
        *("from stages.models import *", "from stages import models\ngetattr(models, a)"),
        *("import stages.models as m\nvars(m)", "sys.modules['a']"),
        *("Path(__file__).parents[1]", "Path(__file__).parent.parent", "open(__file__)"),
    ],
)
def test_what_hides_an_import_is_found(text):
    assert list(hidden(ast.parse(text))) != []


@pytest.mark.parametrize(
    "text",
    [
        *(
            "getattr(self, name)",
            "vars(module)",
            "re.compile('a')",
            "inspect.signature(f)",
            "model.eval()",
        ),
        "Path(__file__).parent / 'page.md.j2'",
        "from torchvision import datasets\ngetattr(datasets, a)",
    ],
)
def test_what_hides_nothing_is_left_alone(text):
    assert list(hidden(ast.parse(text))) == []
