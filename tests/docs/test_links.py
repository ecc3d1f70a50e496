"""Every link of a page leads to a file of the project, and to a heading that is there."""

import re

import pytest

from tests.docs.pages import ROOT, anchors, pages, prose

LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = ("https://", "http://")
PAGES = pages()
LONGEST = 250


def links(page: str) -> list[str]:
    return [link for link in LINK.findall(prose(PAGES[page])) if not link.startswith(ELSEWHERE)]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_resolves(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.resolve().is_relative_to(ROOT), f"{page}: {link} leaves the project"
        assert target.exists(), f"{page}: {link} leads to no file"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{page}: {link}"


def test_the_readme_is_short_and_leads_to_every_page():
    assert len(PAGES["README.md"].splitlines()) <= LONGEST
    reached = {link.partition("#")[0] for link in links("README.md")}
    assert {page for page in PAGES if page != "README.md"} <= reached


def test_the_anchors_are_those_of_a_git_host():
    text = "# After a crash\n## `dvc commit -f`\n### How to add …\n```\n# no heading\n```\n"
    assert anchors(text) == {"after-a-crash", "dvc-commit--f", "how-to-add-"}
