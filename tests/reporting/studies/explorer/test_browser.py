"""reports/explorer.html in headless Chromium, opened from disk.

It takes the extra `browser` and a Chromium: on PATH, or named by the variable CHROMIUM.
"""

import os
from shutil import which

import pytest

from stages.reporting.studies.explorer.page import page

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(which, NAMES)), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH or in CHROMIUM")
LOW, HIGH = [0.91, 0.912, 0.911, 0.915], [0.95, 0.951, 0.952, 0.953]
ONE = {(m, s): v for m in ("l1", "random") for s, v in (("finetune", LOW), ("onecycle", HIGH))}
TWO = {("l1", "finetune"): LOW, ("l1", "scaled"): HIGH}
MODEL = {"code": "stages/models/vgg.py", "factory": "vgg16"}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def file(read_study, tmp_path):
    """The page of two studies: six arms, one title of which would be HTML."""
    studies = [read_study("one", ONE), read_study("two", TWO, model=MODEL)]
    path = tmp_path / "explorer.html"
    path.write_text(page(studies, "reports/").replace("What `two` is.", "<b>two</b>"))
    return path


@pytest.fixture
def opened(browser, file):
    """Return a function that opens the page; nothing may fail or be asked of the network."""
    wrong, contexts = [], []

    def open_page(viewport=DESK, scheme="light", fragment=""):
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("request", lambda request: wrong.append(request.url))
        tab.goto(f"file://{file}{fragment}")
        assert wrong.pop(0).startswith("file:")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def shown(tab):
    return [button.get_attribute("data-arm") for button in tab.locator(".arm").all()]


def test_every_method_has_a_scale_of_its_own(opened):
    """The last arm reaches as far to the left in each, however much lower it is in one."""
    tab = opened()
    assert tab.locator(".axis").count() == tab.locator(".group").count() == 3
    lowest = [
        group.locator(".mean").last.evaluate("dot => parseFloat(dot.style.left)")
        for group in tab.locator(".group").all()
    ]
    assert all(place < 30 for place in lowest)


def test_it_shows_every_arm_from_disk(opened):
    tab = opened()
    assert len(shown(tab)) == 6
    assert "6 of 6 arms" in tab.inner_text("#legend")
    assert tab.locator(".arm").first.locator(".run").count() == 4
    tab.select_option("select[name=measure]", "to_baseline")
    onecycle, finetune = (tab.locator(".arm").nth(n).inner_text().split() for n in (0, 1))
    assert onecycle[:2] == ["onecycle", "+3.95"]  # 95.15 - 91.2, as LOW and HIGH have it
    assert finetune == ["finetune", "0.00"]


def test_filters_leave_what_passes_and_offer_what_would(opened):
    tab = opened()
    tab.select_option("select[name=network]", "vgg16")
    assert shown(tab) == ["two/l1-scaled", "two/l1-finetune"]
    options = tab.locator("select[name=schedule] option").all_inner_texts()
    assert options == ["all", "finetune", "scaled"]
    tab.select_option("select[name=schedule]", "scaled")
    assert shown(tab) == ["two/l1-scaled"]
    tab.select_option("select[name=network]", "")
    tab.select_option("select[name=schedule]", "finetune")
    tab.select_option("select[name=method]", "random")
    assert shown(tab) == ["one/random-finetune"]
    tab.click("button[type=reset]")
    assert len(shown(tab)) == 6


def test_a_view_is_in_its_address(opened):
    tab = opened()
    tab.select_option("select[name=method]", "random")
    tab.select_option("select[name=measure]", "test")
    tab.locator(".arm").first.click()
    again = opened(fragment="#" + tab.url.partition("#")[2])
    assert shown(again) == ["one/random-onecycle", "one/random-finetune"]
    assert again.inner_text("#detail h2") == "onecycle"
    assert "test accuracy, %" in again.inner_text("#legend")
    assert len(shown(opened(fragment="#measure=nonsense&arm=none&data=&x"))) == 6


def test_an_arm_that_is_chosen_shows_what_made_it(opened):
    tab = opened()
    tab.locator("[data-arm='two/l1-scaled']").click()
    text = tab.inner_text("#detail")
    for part in ("afterprune run evaluate@l1-scaled", "{curve: scaled}", "not noted", "better"):
        assert part in text
    assert tab.locator("#detail tbody tr").count() == 4
    assert tab.locator("#detail b").count() == 0
    assert tab.get_attribute("#detail a", "href") == "studies/two/README.md"
    tab.click("summary")
    assert "factory: vgg16" in tab.inner_text("#detail details")
    tab.keyboard.press("Escape")
    assert "Choose an arm" in tab.inner_text("#detail")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_it_is_readable_on_a_phone_and_in_the_dark(opened, viewport, scheme):
    tab = opened(viewport, scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    sizes = (
        "[...document.querySelectorAll('*')].map((e) => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(tab.evaluate(sizes)) >= 12
    chosen = tab.locator(".arm").last
    chosen.click()
    row, sheet = chosen.bounding_box(), tab.locator("#detail").bounding_box()
    assert 0 <= row["y"] < viewport["height"]
    beside = row["x"] + row["width"] <= sheet["x"]
    above = row["y"] + row["height"] <= sheet["y"] + 1
    assert beside or above
    assert tab.evaluate("document.documentElement.scrollWidth") == viewport["width"]
