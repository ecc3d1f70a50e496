"""`afterprune run --until-decided` on a tiny study: what it trains, what it leaves."""

import re
import signal
import sys

import pytest

from tests.pipeline.project import wait_until

RUN = (sys.executable, "-m", "stages.commands", "run")


@pytest.fixture
def growing(project):
    """Two replicates that are done, and looks at 3 and 4."""
    text = (project.folder / "params.yaml").read_text()
    text = text.replace("informed: l1\n", "informed: l1  # kept\n  looks: [3, 4]\n  margin: 0.0\n")
    (project.folder / "params.yaml").write_text(text)
    return project


def replicates(project):
    """Return when the folder of every finished replicate of an arm was made, by its name."""
    folders = (project.folder / ".state").glob("retrain-*-*-[0-9]*-*")
    return {path.name: path.stat().st_mtime_ns for path in folders if path.is_dir()}


@pytest.mark.slow
def test_a_study_grows_by_the_new_replicates_alone(growing):
    before, text = replicates(growing), (growing.folder / "params.yaml").read_text()
    said = growing.run(*RUN, "--until-decided")
    seeds = growing.params()["seeds"]
    assert seeds in (3, 4)
    assert f"{seeds} replicates, of looks at 3 and 4: " in said
    assert (growing.folder / "params.yaml").read_text() == text.replace(
        "seeds: 2", f"seeds: {seeds}"
    )
    after = replicates(growing)
    assert before.items() <= after.items()
    assert len(after) - len(before) == (seeds - 2) * 2  # of two arms
    page = (growing.folder / "reports/README.md").read_text()
    assert f"this is the one at {seeds}." in page
    assert "nothing to run" in growing.run(*RUN, "--dry")


@pytest.mark.slow
def test_an_interruption_leaves_a_study_that_goes_on(growing):
    process = growing.start(*RUN, "--until-decided")
    logs = growing.folder / ".dvc/tmp/runner/logs"
    begun = (logs / "train.log").stat().st_mtime_ns if (logs / "train.log").exists() else 0
    wait_until(
        lambda: (logs / "train.log").exists() and (logs / "train.log").stat().st_mtime_ns > begun,
        seconds=120,
    )
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert growing.params()["seeds"] == 3
    assert re.search(r"\d replicates, of looks at 3 and 4", growing.run(*RUN, "--until-decided"))
