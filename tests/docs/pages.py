"""The pages that people read, and what is code in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")


def pages() -> dict[str, str]:
    """Return the text of every page by its path: README, what it leads to, docs/."""
    names = ("README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "data/README")
    files = [*(ROOT / f"{name}.md" for name in names), *(ROOT / "docs").glob("*.md")]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


def prose(text: str) -> str:
    """Return a page without its code."""
    return SPAN.sub("code", FENCED.sub("", text))


def slug(heading: str) -> str:
    """Return the anchor that git hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return the anchors of all headings of a page."""
    return {slug(found) for found in re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)}


def typed(text: str) -> list[str]:
    """Return what a page tells people to type: lines of blocks, and code within the text.

    In a block with prompts only the lines behind one are typed; the others are what is printed.
    """
    blocks = [block.replace("\\\n", " ") for _, block in FENCED.findall(text)]
    lines = [line for block in blocks for line in _of_block(block)]
    return [*lines, *(" ".join(span.split()) for span in SPAN.findall(FENCED.sub("", text)))]


def _of_block(block: str) -> list[str]:
    lines = [line.strip() for line in block.splitlines()]
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return prompted or lines
