"""What reports/explorer.html says, and that it needs nothing but itself."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from stages.reporting.studies.explorer import page as module
from stages.reporting.studies.explorer.arms import arms, commands, study_of, written
from stages.reporting.studies.explorer.page import as_json, page
from tests.reporting.helpers import diverge

STYLE = (Path(module.__file__).parent / "explorer.css").read_text()
ARMS = {
    ("l1", "finetune"): [0.91, 0.912, 0.911, 0.915],
    ("l1", "onecycle"): [0.95, 0.951, 0.952, 0.953],
}


@pytest.fixture
def study(read_study):
    return read_study("one", ARMS)


def data(text, name):
    """Return what a script element of the page holds."""
    found = re.search(
        rf'<script type="application/json" id="{name}">\n(.*?)\n</script>', text, re.S
    )
    return json.loads(found[1])


def test_an_arm_has_the_intervals_of_the_project_s_statistics(study):
    finetune, onecycle = arms(study, present=False)
    # mean 95.15, sd 0.12910, t(3) 3.18245: half the interval is 0.20542
    assert onecycle["test"] == [95.15, 94.945, 95.355]
    # 4.0, 3.9, 4.1, 3.8: mean 3.95 and the same sd
    assert onecycle["to_baseline"] == [3.95, 3.745, 4.155]
    assert (onecycle["baseline"], onecycle["verdict"]) == ("finetune", "better")
    assert (finetune["to_baseline"], finetune["verdict"]) == (None, None)
    assert [run[0] for run in onecycle["runs"]] == [0, 1, 2, 3]
    assert [run[2] for run in onecycle["runs"]] == [95.0, 95.1, 95.2, 95.3]
    gaps = [run[2] - run[1] for run in onecycle["runs"]]
    assert onecycle["to_dense"][0] == pytest.approx(sum(gaps) / 4, abs=1e-3)


def test_an_arm_that_diverged_has_no_mean(read_study):
    gone = lambda reports: diverge(reports, "l1", "onecycle", [2])  # noqa: E731
    _, onecycle = arms(read_study("one", ARMS, diverging=gone), present=False)
    assert onecycle["test"] == [None, None, None]
    assert [run[2] for run in onecycle["runs"]] == [95.0, 95.1, None, 95.3]


def test_what_made_an_arm_is_there_where_it_was_noted(study):
    first, second = arms(study, present=False)
    assert (first["environment"], first["lock"]) == (None, None)
    made = pd.DataFrame([("l1", "onecycle", '{"device": "cpu"}', "0123456789abcdef")])
    made.columns = ["method", "schedule", "environment", "lock_entry"]
    first, second = arms(replace(study, origins=made), present=False)
    assert first["environment"] is None
    assert (second["environment"], second["lock"]) == ({"device": "cpu"}, "0123456789abcdef")


def test_the_commands_make_the_arm_again(study):
    own = commands(study, "l1", "onecycle", present=True)
    assert own == ["afterprune run evaluate@l1-onecycle"]
    kept = commands(study, "l1", "onecycle", present=False)
    assert kept == ["cp reports/studies/one/params.yaml params.yaml", *own]
    rounds = {"prune": {"methods": {}, "iterative": {"l1": {}}}}
    [again] = commands(replace(study, settings=rounds), "l1", "onecycle", present=True)
    assert again == "afterprune run evaluate_iterative@l1-onecycle"


def test_the_page_holds_all_arms_and_all_settings(study):
    text = page([study], "present")
    assert data(text, "arms") == json.loads(json.dumps([*arms(study, present=False)]))
    [told] = data(text, "studies")
    assert told == study_of(study)
    assert "schedules:\n" in told["settings"]
    assert told["page"] == "one/README.md".replace("one", "studies/one")
    assert study_of(replace(study, page="../README.md"))["page"] == "README.md"


def test_the_page_asks_nothing_of_the_network_and_is_small(study):
    text = page([study], "present")
    assert not re.search(r"https?:|//[a-z]|@import|url\(|import\(|fetch|XMLHttp", text)
    assert len(text) < 40_000


def test_the_same_studies_are_the_same_bytes_an_arm_a_line(study):
    text = page([study], "present")
    assert page([study], "present") == text
    other = page([study, replace(study, name="two")], "present")
    assert {*text.splitlines()} - {*other.splitlines()} <= {
        line for line in text.splitlines() if line[:1] == "{"
    }


def test_no_text_of_a_study_ends_the_script_it_is_in(study):
    hostile = replace(study, title="</script><script>alert(1)</script><!--")
    text = page([hostile], "present")
    assert text.count("<script") == page([study], "present").count("<script")
    assert data(text, "studies")[0]["title"] == hostile.title
    assert as_json(["</script>"]) == '[\n"\\u003c/script>"\n]'


def test_settings_are_a_line_of_yaml_however_long():
    long = {"curve": "step", "milestones": list(range(60))}
    assert "\n" not in written(long)
    assert written({"curve": "onecycle", "max_lr": 0.1}) == "{curve: onecycle, max_lr: 0.1}"


def luminance(color):
    """Relative luminance of #rgb or #rrggbb (WCAG 2.2)."""
    digits = color.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["text", "quiet", "better", "worse", "even"])
@pytest.mark.parametrize("ground", ["ground", "panel", "chosen"])
def test_all_that_is_written_stands_out_enough_to_be_read(scheme, ink, ground):
    """A contrast of 4.5 (WCAG 2.2, AA)."""
    root = re.findall(r":root \{(.*?)\}", STYLE, re.S)[scheme]
    colors = dict(re.findall(r"--(\w+): (#\w+);", root))
    low, high = sorted((luminance(colors[ink]), luminance(colors[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
