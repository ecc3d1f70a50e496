"""`--dry` says what would run, why, and how long it would take."""

import json

import pytest

from stages.runner.dry import preview, table, total
from stages.runner.dvc.forecast import Forecast, Future
from stages.runner.dvc.pipeline import Pipeline
from stages.runner.session import Options, runner_folder
from tests.runner.pipelines import FAN
from tests.runner.twins import runner


def test_the_table_has_a_line_for_each_reason():
    found = [
        Forecast("train", "runs", ("seed: 0 -> 1", "epochs: 2 -> 3")),
        Forecast("evaluate", "may run", ("if the outputs of train change",)),
        Forecast("plot", "restored", ("plot.png: missing",)),
    ]
    assert table(found, {"train": 2.0}).splitlines() == [
        "train     runs      2.0 s    seed: 0 -> 1",
        "                             epochs: 2 -> 3",
        "evaluate  may run   unknown  if the outputs of train change",
        "plot      restored           plot.png: missing",
    ]
    assert table(found[2:]) == "plot  restored  plot.png: missing"


@pytest.mark.parametrize(
    ("least", "most", "unknown", "said"),
    [
        (2.0, 61.4, (), "about 2 to 61 s with --workers 3, by the times of earlier runs"),
        (2.0, 2.2, (), "about 2 s with --workers 3, by the times of earlier runs"),
        (0.0, 0.0, ("a", "b"), "not known: the time of a, b"),
        (0.0, 0.0, (), "about 0 s with --workers 3, by the times of earlier runs"),
        (
            0.0,
            5.0,
            ("a",),
            "about 0 to 5 s with --workers 3, by the times of earlier runs\n"
            "not known: the time of a",
        ),
    ],
)
def test_the_time_of_all_says_what_is_not_known(least, most, unknown, said):
    assert total(least, most, 3, unknown) == said


def test_the_time_of_all_says_that_some_is_rough():
    assert total(2.0, 2.0, 3, (), rough=True).endswith("runs, some with other settings (rough)")


def test_the_time_of_all_says_that_some_was_timed_now():
    assert total(2.0, 2.0, 3, (), guessed=True) == (
        "about 2 s with --workers 3, by what was timed now and by the times of earlier runs"
    )


def test_what_no_run_has_timed_is_asked_of_those_who_know(project, monkeypatch):
    """part@a is known of an earlier run, zero and last from elsewhere: 5 + 20 | 20 | 20 + 1."""
    monkeypatch.chdir(project.folder)
    (runner_folder() / "times.json").write_text('{"part@a": 20}')
    asked = []

    def seconds(cores):
        asked.append(cores)
        return {"zero": 5.0, "last": 1.0, "part@b": 1000.0}

    said = preview(Options((), 3, None, 1, False, False), Future(seconds=seconds))
    assert asked == [3]
    assert said.splitlines()[-1] == (
        "about 26 s with --workers 3, by what was timed now and by the times of earlier runs"
    )
    assert "part@b  runs  20.0 s" in said


def stages(said):
    """Return the verdicts by stage."""
    return {
        line.split("  ")[0]: verdict
        for line in said.splitlines()
        for verdict in ("runs", "may run", "restored")
        if f"  {verdict}  " in line
    }


@pytest.fixture
def project(repository):
    return repository(FAN)


def test_a_dry_run_changes_nothing(project):
    before = project.files(".")
    said = runner(project, "--dry")
    assert stages(said) == dict.fromkeys(["zero", "part@a", "part@b", "part@c", "last"], "runs")
    assert said.splitlines()[-1] == "not known: the time of last, part, zero"
    assert {**project.files("."), ".dvc/tmp/lock": b""} == {**before, ".dvc/tmp/lock": b""}


def test_times_are_those_of_the_last_run(project):
    runner(project)
    assert runner(project, "--dry") == "nothing to run\n"
    times = {"zero": 5, "part@a": 10, "part@b": 20, "part@c": 30, "last": 1}
    file = project.folder / ".dvc/tmp/runner/times.json"
    assert json.loads(file.read_text()).keys() == times.keys()
    file.write_text(json.dumps(times))
    project.set("n", 3)
    project.set("items.d", 4)
    said = runner(project, "--dry", "--workers", "2")
    assert "zero    runs     5.0 s   n: 1 -> 3" in said
    assert "part@d  runs     20.0 s  it never ran" in said
    # zero and the new part are sure to run; the others may: 5 + (30 + 10 | 20 + 20) + 1
    assert said.splitlines()[-1] == (
        "about 25 to 46 s with --workers 2, by the times of earlier runs, some with other settings "
        "(rough)"
    )


def test_a_time_with_other_settings_counts_only_where_there_is_no_better(project, monkeypatch):
    """`n` is a key of zero, which all others are behind: 500 + 20 | 20 | 20 + 1, and no old 5."""
    runner(project)
    monkeypatch.chdir(project.folder)
    times = {"zero": 5, "part@a": 20, "part@b": 20, "part@c": 20, "last": 1}
    (runner_folder() / "times.json").write_text(json.dumps(times))
    options, future = Options((), 3, None, 1, False, False), Future(seconds=lambda _: {"zero": 500})
    assert preview(options, future) == "nothing to run"
    project.set("n", 800)
    said = preview(options, future)
    assert "zero    runs     500.0 s  n: 1 -> 800" in said
    assert "about 500 to 521 s with --workers 3, by what was timed now and by the times" in said


def test_stages_of_other_settings_and_those_behind_them(project, monkeypatch):
    runner(project)
    monkeypatch.chdir(project.folder)
    assert Pipeline().reset() == set()
    project.set("items.b", 4)
    project.set("items.d", 5)
    assert Pipeline().reset() == {"part@b", "last"}
    project.set("n", 800)
    assert Pipeline().reset() == {"zero", "part@a", "part@b", "part@c", "part@d", "last"}


def test_what_the_cache_holds_is_restored(project):
    runner(project)
    (project.folder / "last.txt").unlink()
    (project.folder / "parts/a.txt").unlink()
    said = runner(project, "--dry")
    assert stages(said) == {"part@a": "restored", "last": "runs"}
    assert "about 0 s" in said
