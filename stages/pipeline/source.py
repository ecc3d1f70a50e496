"""What counts of a Python file: its text without docstrings and comments, and what it imports.

The text is cut by position. Neither token strings nor dumps of the syntax tree take part, because
both differ between versions of Python.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from stages.pipeline.fault import Fault

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
NEEDS_TOKENS = (b"#", b'"""', b"'''", b"\\\n")
"""Marks of a comment or of a string of several lines; a text without them needs no tokens."""


@dataclass(frozen=True)
class Source:
    """The SHA-256 of the text that counts, and the dotted names that the file imports."""

    digest: str
    imports: frozenset[str]


@cache
def read_source(path: str, content: bytes) -> Source:
    """Return what counts of the Python file `path`; a Fault when it cannot be parsed."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = io.TextIOWrapper(io.BytesIO(content), encoding).read()
        statements = list(_statements(ast.parse(text).body))
    except SyntaxError as error:
        raise Fault(f"{path}: line {error.lineno}: {error.msg}") from None
    except ValueError as error:
        raise Fault(f"{path}: {error}") from None
    package = PurePosixPath(path).parent.parts
    return Source(
        hashlib.sha256(_text_that_counts(text, statements)).hexdigest(),
        frozenset(name for node in _executed(statements) for name in _imported(node, package)),
    )


def _text_that_counts(text: str, statements: Iterable[ast.stmt]) -> bytes:
    """Return a text without docstrings, comments, trailing blanks and lines that are left blank."""
    lines = text.encode().split(b"\n")
    docstrings = [node for node in statements if _is_docstring(node)]
    for node in reversed(docstrings):
        _cut(lines, node)
    inside: set[int] = set()
    if any(mark in b"\n".join(lines) for mark in NEEDS_TOKENS):
        inside = _cut_comments(lines, text)
        for node in docstrings:
            inside.difference_update(range(node.lineno, node.end_lineno or 0))
    kept: list[bytes] = []
    for number, line in enumerate(lines, start=1):
        stripped = line if number in inside else line.rstrip()
        continued = bool(kept) and kept[-1].endswith(b"\\")  # a blank line ends the statement
        if stripped or number in inside or continued:
            kept.append(stripped)
    return b"\n".join(kept)


def _cut(lines: list[bytes], node: ast.stmt) -> None:
    """Cut a statement out; columns of the syntax tree count bytes of UTF-8."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    rest = lines[last][node.end_col_offset :]
    lines[first] = lines[first][: node.col_offset]
    lines[first + 1 : last + 1] = [b""] * (last - first)
    lines[last] += rest


def _cut_comments(lines: list[bytes], text: str) -> set[int]:
    """Cut the comments out; return the numbers of the lines that end inside a string.

    Strings of format are one token before Python 3.12, and a start, parts and an end since.
    """
    inside: set[int] = set()
    starts: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        (first, _), (last, _) = token.start, token.end
        match tokenize.tok_name[token.type]:
            case "COMMENT":
                lines[first - 1] = lines[first - 1].removesuffix(token.string.encode())
            case "STRING":
                inside.update(range(first, last))
            case "FSTRING_START" | "TSTRING_START":
                starts.append(first)
            case "FSTRING_END" | "TSTRING_END":
                inside.update(range(starts.pop(), last))
    return inside


def _statements(block: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """Yield all statements of a block, in the order of the text."""
    for node in block:
        if isinstance(node, ast.stmt):
            yield node
        for name in BLOCKS:
            inner = getattr(node, name, ())
            yield from _statements(inner if isinstance(inner, list) else ())


def _is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is a bare string, which does nothing wherever it stands."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _executed(statements: Iterable[ast.stmt]) -> list[ast.stmt]:
    """Return the statements without those of `if TYPE_CHECKING:`."""
    types = [node for node in statements if isinstance(node, ast.If) and _is_for_types(node.test)]
    skipped = {inner for node in types for inner in _statements(node.body)}
    return [node for node in statements if node not in skipped]


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _imported(node: ast.stmt, package: tuple[str, ...]) -> Iterator[str]:
    """Yield the modules that a statement imports; a name from a package may be one as well."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) + 1 - node.level] if node.level else ()
        module = ".".join([*above, *filter(None, [node.module])])
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)
