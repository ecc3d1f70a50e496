"""The SVG of a figure: what a line holds, and what a change of one part leaves as it was."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from stages.reporting.drawing import tidy
from stages.reporting.style import RULES, svg

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
DRAWN = f"""<?xml version="1.0"?>
{HEAD}
 <metadata><about/></metadata>
 <defs><style type="text/css">*{{}}</style></defs>
 <g id="figure_1"><g id="axes_1"><g id="axis_1"><g id="xtick_1">
  <g id="line2d_1"/>
  <g id="line2d_2"><g><use xlink:href="#b" x="1.23456" y="2"/></g></g>
  <g id="text_1">
   <!-- a & b -->
   <g transform="translate(0.0004 -9.87654) scale(0.015625)">
    <defs><path id="b" d="M 1.23456 0
L -0.0001 3
z
" style="stroke-width: 0.123456"/></defs>
    <use xlink:href="#b"/>
   </g>
  </g>
 </g></g></g></g>
 <defs><clipPath id="a"><rect x="3" y="4"/></clipPath></defs>
</svg>"""
TIDY = f"""{HEAD}
<defs>
 <style type="text/css">*{{}}</style>
 <clipPath id="a"><rect x="3" y="4"/></clipPath>
 <path id="b" d="M 1.23 0 L 0 3 z" style="stroke-width: 0.123456"/>
</defs>
<g>
 <g><g><g><g><g><use xlink:href="#b" x="1.23" y="2"/></g></g><g><!-- a & b -->\
<g transform="translate(0 -9.88) scale(0.015625)"><use xlink:href="#b"/></g></g></g></g></g>
</g>
</svg>
"""


def drawn(heights, labels=("first", "second")):
    with rc_context(RULES):
        figure = Figure(figsize=(4, 3))
        panel = figure.subplots()
        for label, height in zip(labels, heights, strict=True):
            panel.plot([0, 1, 2], [0, height, 0], marker="o", label=label)
        panel.set_ylim(0, 9)
        panel.legend()
    return svg(figure)


def test_panels_are_lines_with_short_coordinates_and_shapes_come_first():
    assert tidy(DRAWN) == TIDY


def test_what_moves_in_a_panel_changes_the_line_of_that_panel():
    before, after = (drawn(heights).splitlines() for heights in ((3, 5), (4, 5)))
    assert len(before) == len(after)
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


def test_another_text_moves_no_letter():
    before, after = (drawn((3, 5), labels).splitlines() for labels in (("ab", "cd"), ("cb", "ad")))
    assert before[: before.index("</defs>")] == after[: after.index("</defs>")]
    assert before != after


def test_all_that_is_used_is_there_once():
    root = ElementTree.fromstring(drawn((3, 5)))  # noqa: S314, matplotlib has just written it
    names = [name for part in root.iter() if (name := part.get("id"))]
    used = {part.get("{http://www.w3.org/1999/xlink}href", "#")[1:] for part in root.iter()} - {""}
    used |= set(re.findall(r"url\(#(\w+)\)", drawn((3, 5))))
    assert len(names) == len(set(names))
    assert used == set(names)


@pytest.mark.parametrize("heights", [(3, 5), (8, 1)])
def test_a_figure_is_the_same_bytes_each_time(heights):
    assert drawn(heights) == drawn(heights)
