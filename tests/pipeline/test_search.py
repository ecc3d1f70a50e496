"""`afterprune recommend --search` on a tiny study: what it trains, and what it leaves alone."""

import re
import sys

import pytest

SEARCH = (sys.executable, "-m", "stages.commands", "recommend", "--search", "--step", "0.5")
TRAINED = re.compile(r"^ran +((?:train|prune|retrain)\S*)", re.MULTILINE)


@pytest.mark.slow
def test_a_search_trains_once_and_leaves_the_project_as_it_is(project):
    before = {**project.files("reports"), **project.files("models"), **project.files("build")}
    settings = [(project.folder / name).read_bytes() for name in ("params.yaml", "dvc.lock")]
    first = project.run(*SEARCH, "--max-drop", "99")
    assert "ratio 0.5 is the smallest network found that keeps the accuracy" in first
    assert "onfirmed on fresh seeds (2 to 3): " in first
    # 0.5 is tried with the study's dense networks, and confirmed with new ones
    assert TRAINED.findall(first) == [
        "prune@l1",
        "retrain@l1-onecycle",
        "train",
        "prune@l1",
        "retrain@l1-onecycle",
    ]
    second = project.run(*SEARCH, "--max-drop", "99")
    assert TRAINED.findall(second) == []
    assert second.splitlines()[-5:] == first.splitlines()[-5:]
    after = {**project.files("reports"), **project.files("models"), **project.files("build")}
    assert after == before
    assert settings == [
        (project.folder / name).read_bytes() for name in ("params.yaml", "dvc.lock")
    ]
    assert not (project.folder / ".dvc/tmp/exps/search").exists()
