"""What counts of a Python file, in every version of Python, and what it imports."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.source import read_source

ROOT = Path(__file__).parents[2]

# What is written, and what counts of it.
SAMPLES = {
    "docstrings of modules, classes, functions, attributes": (
        '''"""A module.

        Of several paragraphs.
        """
x = 1
"""What x is."""
class A:
    """A class."""
    y = 2
    'What y is.'
    async def f(self):
        """A method."""
        return 3
''',
        "x = 1\nclass A:\n    y = 2\n    async def f(self):\n        return 3",
    ),
    "a body of nothing but a docstring": (
        'def f():\n    """Nothing."""\nclass A(Exception): "Nothing."\nx = 1\n',
        "def f():\nclass A(Exception):\nx = 1",
    ),
    "strings that are no docstrings": (
        'x = """a"""\nf("""b""")\nlambda: """c"""\n"""d""".strip()\nb"""e"""\nf"""f"""\n',
        'x = """a"""\nf("""b""")\nlambda: """c"""\n"""d""".strip()\nb"""e"""\nf"""f"""',
    ),
    "docstrings in brackets, in parts, and raw": (
        'def f():\n    ("""a"""\n     "b")\n    return 1\ndef g():\n    r"""\\d"""\n    return 2\n',
        "def f():\n    return 1\ndef g():\n    return 2",
    ),
    "statements beside a docstring": (
        '"""a\nb"""; x = 1\ndef f(): "c"; return 2\n"d"; "e"; y = 3  # f\n',
        "; x = 1\ndef f(): ; return 2\n; ; y = 3",
    ),
    "comments": (
        "#!/usr/bin/python3\n# -*- coding: utf-8 -*-\nx = 1  # one\n\n\n    # indented\n"
        "y = (  # open\n    2,\n    # between\n    3,  # three\n)\n",
        "x = 1\ny = (\n    2,\n    3,\n)",
    ),
    "a hash inside strings": (
        "x = '#1'  # 2\ny = \"# '3'\"  # '4' \"#5\"\nz = '''\n# 6\n'''  # 7\n",
        "x = '#1'\ny = \"# '3'\"\nz = '''\n# 6\n'''",
    ),
    "a comment that ends as the code before it does": ("x = '# a'  # a\n", "x = '# a'"),
    "blank lines and blanks at the end of lines, inside strings and outside": (
        "x = '''a  \n\n   \n  b'''   \n\n   \ny = 1 \t\n",
        "x = '''a  \n\n   \n  b'''\ny = 1",
    ),
    "strings in brackets side by side": (
        'x = (  \n    "a"  # one\n\n    "b"   \n    """c  \n\n""" \'d\'  \n)\n',
        'x = (\n    "a"\n    "b"\n    """c  \n\n""" \'d\'\n)',
    ),
    "strings of format": (
        "x = f'{a[\"#\"]} # {{b}}'  # c\ny = f'''  \n\n# {\n  d  \n} # e  \n'''  # f\n"
        'z = rf\'\\#{g:{h}}\' f"""\n #{i!r:>#x}  \n"""  # j\n',
        "x = f'{a[\"#\"]} # {{b}}'\ny = f'''  \n\n# {\n  d  \n} # e  \n'''\n"
        'z = rf\'\\#{g:{h}}\' f"""\n #{i!r:>#x}  \n"""',
    ),
    "a string continued by a backslash": ("x = 'a  \\\n  \\\n'; y = 'b\\\n  # c'\n", None),
    "a statement continued by a backslash": (
        "x = 1 + \\\n    2\ny = 3 \\\n\n-4  # five\n",
        "x = 1 + \\\n    2\ny = 3 \\\n\n-4",
    ),
    "text beyond ASCII": (
        '"""Größe 😀"""; x = "ä"  # ö\né = "😀#"; "ü€"; y = 1  # 😀 # 😀\n',
        '; x = "ä"\né = "😀#"; ; y = 1',
    ),
    "other ends of lines inside strings": (
        "x = '''a\x0cb\u2028c\x85d\x1ce\u2029\n\n'''  # \u2028f\ny = 1\x0c\n",
        "x = '''a\x0cb\u2028c\x85d\x1ce\u2029\n\n'''\ny = 1",
    ),
    "tabs, decorators and nested functions": (
        "@a  # b\n@c(\n    '#d'\n)\ndef f():\n\t'''e'''\n\t@g\n\tdef h():\n\t\t'''i\n\t\tj'''\n"
        "\t\treturn 1\t# k\n\treturn h\n",
        "@a\n@c(\n    '#d'\n)\ndef f():\n\t@g\n\tdef h():\n\t\treturn 1\n\treturn h",
    ),
    "bare strings in every kind of block": (
        "if a:\n    'b'\n    c\nelif d:\n    'e'\n    f\nelse:\n    'g'\n    h\n"
        "try:\n    'i'\n    j\nexcept K:\n    'l'\n    m\nelse:\n    'n'\n    o\n"
        "finally:\n    'p'\n    q\n"
        "for r in s:\n    't'\n    u\nelse:\n    'v'\n    w\nwith x:\n    'y'\n    z\n"
        "match a:\n    case 'b':\n        'c'\n        d\n    case _:\n        'e'\n        f\n",
        "if a:\n    c\nelif d:\n    f\nelse:\n    h\ntry:\n    j\nexcept K:\n    m\nelse:\n    o\n"
        "finally:\n    q\nfor r in s:\n    u\nelse:\n    w\nwith x:\n    z\n"
        "match a:\n    case 'b':\n        d\n    case _:\n        f",
    ),
    "nothing": ("", ""),
    "nothing but a docstring": ('"""a"""', ""),
    "no end of line at the end": ("x = 1  # a", "x = 1"),
}

SCRIPT = """
import json, pathlib, sys
from stages.pipeline.source import read_source
texts = {str(p): p.read_bytes() for p in sorted(pathlib.Path("stages").rglob("*.py"))}
texts.update({name: text.encode() for name, text in json.load(sys.stdin).items()})
sources = {name: read_source(name, text) for name, text in texts.items()}
print(json.dumps({name: [s.digest, sorted(s.imports)] for name, s in sources.items()}))
"""


def digest(text):
    return read_source("a.py", text if isinstance(text, bytes) else text.encode()).digest


def imports(text, path="stages/room/a.py"):
    return read_source(path, text.encode()).imports


@pytest.mark.parametrize("name", SAMPLES)
def test_what_counts_of_a_text(name):
    text, expected = SAMPLES[name]
    expected = text.rstrip("\n") if expected is None else expected
    assert digest(text) == hashlib.sha256(expected.encode()).hexdigest()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_the_ends_of_lines_do_not_count(name, end):
    text, _ = SAMPLES[name]
    assert digest(text.replace("\n", end)) == digest(text)


def test_a_byte_order_mark_does_not_count():
    assert digest(b"\xef\xbb\xbfx = 'a'\n") == digest("x = 'a'\n")


def test_the_encoding_counts():
    text = b"x = '\xc3\xa4'\n"
    assert digest(b"# coding: latin-1\n" + text) != digest(b"# coding: utf-8\n" + text)


def test_a_blank_line_after_a_continued_one_counts():
    """It ends the statement: x is 1 in the first text and 0 in the second."""
    assert digest("x = 1 \\\n\n-1\n") != digest("x = 1 \\\n-1\n")


@pytest.mark.parametrize(
    "text", ["x = 1\n  y = 2\n", "x = '\n", b"x = '\xff'\n", b"x = 1\0\n", b"# coding: no\n"]
)
def test_a_file_that_is_no_python_is_named(text):
    with pytest.raises(Fault, match=r"^a\.py: .+$"):
        digest(text)


def interpreters():
    """Return other versions of Python, by number, on PATH and of pyenv."""
    folders = [*os.environ["PATH"].split(os.pathsep)]
    folders += map(str, Path.home().glob(".pyenv/versions/*/bin"))
    found = {}
    for minor in range(11, 20):
        for folder in folders:
            file = shutil.which(f"python3.{minor}", path=folder)
            if file and minor != sys.version_info.minor and minor not in found:
                asked = subprocess.run([file, "-c", "print(6 * 7)"], capture_output=True, text=True)
                if asked.stdout == "42\n":
                    found[minor] = file
    return found


def test_all_versions_of_python_agree():
    others = interpreters()
    if not others:
        pytest.skip("no other version of Python, 3.11 or newer, was found")
    texts = json.dumps({name: text for name, (text, _) in SAMPLES.items()})
    said = {
        file: subprocess.run(
            [file, "-c", SCRIPT], cwd=ROOT, input=texts, capture_output=True, text=True, check=True
        ).stdout
        for file in (sys.executable, *others.values())
    }
    assert {file for file in said if said[file] != said[sys.executable]} == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a.b as c, d", {"a.b", "d"}),
        ("from a import b, c as d", {"a", "a.b", "a.c"}),
        ("from . import b", {"stages.room", "stages.room.b"}),
        ("from .b import c", {"stages.room.b", "stages.room.b.c"}),
        ("from ..other import b", {"stages.other", "stages.other.b"}),
        ("def f():\n    import a\n    class B:\n        import c", {"a", "c"}),
        ("try:\n    import a\nexcept E:\n    import b\nfinally:\n    import c", {"a", "b", "c"}),
        ("match a:\n    case 1:\n        import b", {"b"}),
        ("if a: import b\nelif c: import d\nelse: import e", {"b", "d", "e"}),
        (
            "if TYPE_CHECKING:\n    import a\n    if b:\n        import c\nelse:\n    import d",
            {"d"},
        ),
        ("import typing\nif typing.TYPE_CHECKING:\n    import a", {"typing"}),
        ("if not TYPE_CHECKING:\n    import a", {"a"}),
        ('"""import a"""\n# import b', set()),
    ],
)
def test_what_a_file_imports(text, expected):
    assert imports(text) == expected
