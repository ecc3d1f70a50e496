"""Every `afterprune …` and `python -m …` of a page can be typed: its command and options exist.

Commands of others (DVC, git, pip, make, Ray, pytest) are left to them; CHANGELOG names what was.
"""

import re
import shlex
from importlib import import_module
from importlib.util import find_spec

import pytest
import typer

from stages.commands.__main__ import commands
from stages.pipeline.command import USAGE_ERROR
from tests.docs.pages import pages, typed

OURS = re.compile(r"(?:^|-- |&& )(afterprune|python -m (?:stages|tests)[\w.]*)(?:\s+([^\"]*))?$")
PLACEHOLDER = re.compile(r"COMMAND|NAME|TARGET|…|\[")


def command_lines(text: str) -> list[str]:
    """Return the command lines of the project's own, without comments and placeholders.

    They may stand behind those of another, as in `ray … -- afterprune run`.
    """
    found = []
    for match in filter(None, map(OURS.search, map(uncommented, typed(text)))):
        words = shlex.split(match[2] or "")
        words = ["a_name" if word == "NAME" else word for word in words]
        kept = [word for word in words if not PLACEHOLDER.search(word)]
        found.append(shlex.join([*match[1].split(), *kept]))
    return found


def uncommented(line: str) -> str:
    return re.sub(r"\s+#.*", "", line).removesuffix('"').strip()


def parse(line: str) -> None:
    """Parse a command line as its command would; run nothing."""
    words = shlex.split(line)
    program, rest = (words[0], words[1:]) if words[0] == "afterprune" else (words[2], words[3:])
    if program in ("afterprune", "stages.commands"):
        if rest in ([], ["--help"]):
            return
        assert rest[0] in commands(), f"no command {rest[0]!r}"
        program, rest = f"stages.commands.{rest[0]}", rest[1:]
    try:
        with application(program).make_context(program, [*rest]):
            pass
    except typer.Exit:
        assert "--help" in rest


def application(program: str):
    """Return the command of a module, or of a package that can be run."""
    name = f"{program}.__main__" if find_spec(program).submodule_search_locations else program
    module = import_module(name)
    if app := getattr(module, "app", None):
        return typer.main.get_command(app)
    if make := getattr(module, "application", None):
        return typer.main.get_command(make())
    app = typer.Typer(add_completion=False)
    app.command()(module.main)
    return typer.main.get_command(app)


PAGES = {page: text for page, text in pages().items() if page != "CHANGELOG.md"}
LINES = sorted({(page, line) for page, text in PAGES.items() for line in command_lines(text)})


@pytest.mark.parametrize(("page", "line"), LINES)
def test_a_command_line_can_be_typed(page, line):
    if "tests.mutation" in line:
        pytest.importorskip("mutmut")
    parse(line)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("afterprune recomend", AssertionError),
        ("afterprune run --wrokers 2", USAGE_ERROR),
        ("afterprune run --workers many", USAGE_ERROR),
        ("afterprune export --method l1", USAGE_ERROR),
        ("python -m stages.retrain --metod l1", USAGE_ERROR),
        ("python -m tests.reliability --kill 5", USAGE_ERROR),
    ],
)
def test_a_wrong_command_line_would_be_noticed(line, error):
    with pytest.raises(error):
        parse(line)


def test_command_lines_are_found_in_blocks_and_in_the_text():
    text = """
Use `afterprune keep NAME` and `afterprune run
[TARGET …]`, not `pip install afterprune`.

```
$ afterprune sizes    # by method
dense  afterprune prints this
```

```bash
srun --nodes=4 \\
    ray -- afterprune run --ray auto
```
"""
    found = ["afterprune keep a_name", "afterprune run", "afterprune run --ray auto"]
    assert sorted(command_lines(text)) == [*found, "afterprune sizes"]


def test_the_readme_names_every_command():
    named = {line.split()[1] for page, line in LINES if page == "README.md" and " " in line}
    assert set(commands()) <= named
