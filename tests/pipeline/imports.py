"""What a file imports, of the project and of libraries, read from its source."""

import ast
import sys
from pathlib import Path


def closure(file: Path) -> set[Path]:
    """Return the non-empty files below stages/ that `file` imports, directly or not, and itself."""
    found: set[Path] = set()
    waiting = [file]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    return {path for path in found if path.read_text().strip()}


def imported(file: Path) -> list[Path]:
    """Return the files below stages/ that a file imports itself, for types alone ones left out."""
    tree = ast.parse(file.read_text())
    names = [name for node in _executed(tree) for name in _names(node)]
    files = {Path(*name.split(".")).with_suffix(".py") for name in names}
    return sorted(path for path in files if path.is_file())


def libraries(file: Path) -> set[str]:
    """Return the libraries that `file` and what it imports import when they are imported."""
    statements = [node for path in closure(file) for node in ast.parse(path.read_text()).body]
    modules = {alias.name for n in statements if isinstance(n, ast.Import) for alias in n.names}
    modules |= {n.module or "" for n in statements if isinstance(n, ast.ImportFrom)}
    return {name.split(".")[0] for name in modules} - sys.stdlib_module_names - {"stages"}


def _executed(tree: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        nodes += [node, *_executed(node)]
    return nodes


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.startswith("stages.")]
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stages"):
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]  # type: ignore[list-item]
    return []
