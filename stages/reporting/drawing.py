"""SVG that git compares well: a line for every panel, short coordinates, names that stay."""

import re
from xml.dom import minidom
from xml.dom.minidom import Element

COORDINATES = ("d", "x", "y", "transform")
DECIMALS = 2
"""Decimals of coordinates, which are in points."""
FRACTION = re.compile(r"-?\d+\.\d+")
LEVELS = 5
"""Levels of elements below one that has a line to itself: those of a panel, down to its digits."""


def tidy(text: str) -> str:
    """Return matplotlib's SVG with a line for every panel, legend and title.

    A line for every part of a panel would be as many when an axis moves, and nobody reads them.
    Shapes that several parts use (letters, markers, clip paths) stand first, by name, so that none
    moves when what uses it first does. Metadata, empty groups and the names of groups, which
    count all that are drawn before, are left out.
    """
    root = minidom.parseString(text).documentElement  # noqa: S318, matplotlib has just written it
    assert root is not None
    _remove(root, "metadata")
    shapes = sorted(_remove(root, "defs"), key=lambda shape: shape.getAttribute("id"))
    for part in (root, *shapes):
        _shorten(part)
    defined = ["<defs>", *(f" {shape.toxml()}" for shape in shapes), "</defs>"]
    drawn = [line for part in _elements(root) for line in _lines(part, "")]
    return "\n".join([_opening(root), *defined, *drawn, "</svg>"]) + "\n"


def _remove(root: Element, tag: str) -> list[Element]:
    """Remove all elements of a kind, and return what they held."""
    removed = list(root.getElementsByTagName(tag))
    for element in removed:
        assert element.parentNode is not None
        element.parentNode.removeChild(element)
    return [part for element in removed for part in _elements(element)]


def _shorten(element: Element) -> None:
    """Round coordinates; drop white space, and groups that are empty without it."""
    for name in COORDINATES:
        if element.hasAttribute(name):
            element.setAttribute(name, _rounded(element.getAttribute(name)))
    if element.tagName == "g" and element.hasAttribute("id"):
        element.removeAttribute("id")
    for child in list(element.childNodes):
        if isinstance(child, Element):
            _shorten(child)
        blank = child.nodeType == child.TEXT_NODE and not child.data.strip()
        if blank or (child.nodeName == "g" and not child.childNodes):
            element.removeChild(child)


def _rounded(text: str) -> str:
    """Round the numbers of a path or a place, but not those of a scale, which multiply others."""
    head, scale, tail = " ".join(text.split()).partition("scale(")
    short = FRACTION.sub(lambda found: f"{round(float(found[0]), DECIMALS) + 0:g}", head)
    return short + scale + tail


def _lines(element: Element, margin: str) -> list[str]:
    """Write an element in one line, or its parts in lines of their own."""
    if _levels(element) <= LEVELS:
        return [margin + element.toxml()]
    inner = [line for part in _elements(element) for line in _lines(part, margin + " ")]
    return [margin + _opening(element), *inner, f"{margin}</{element.tagName}>"]


def _opening(element: Element) -> str:
    return element.toxml().partition(">")[0] + ">"


def _levels(element: Element) -> int:
    return max((1 + _levels(part) for part in _elements(element)), default=0)


def _elements(element: Element) -> list[Element]:
    return [child for child in element.childNodes if isinstance(child, Element)]
