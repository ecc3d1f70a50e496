"""What stays, what stops and what is said when a stage fails or the run is interrupted."""

import shlex
import signal

import psutil
import pytest

from tests.pipeline.project import ran, wait_until
from tests.runner.pipelines import FAN
from tests.runner.twins import (
    RUNNER,
    UP_TO_DATE,
    entries,
    ignored,
    make,
    runner,
    spawn,
    status,
    twins,
)

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

BROKEN = {
    "dvc.yaml": """
stages:
  good:
    cmd: sleep 0.6; echo good > good.txt
    deps: [src]
    outs: [good.txt]
  bad:
    cmd: echo some words; sh bad.sh; echo bad > bad.txt
    deps: [src, bad.sh]
    outs: [bad.txt]
  behind:
    cmd: cat bad.txt > behind.txt
    deps: [bad.txt]
    outs: [behind.txt]
  other:
    cmd: cat good.txt > other.txt
    deps: [good.txt]
    outs: [other.txt]
""",
    "src": "src\n",
    "bad.sh": "echo the reason >&2; kill -9 $$PPID\n".replace("$$PPID", "$PPID"),
}
SLOW = {
    "dvc.yaml": """
stages:
  quick:
    cmd: echo quick > quick.txt
    deps: [src]
    outs: [quick.txt]
  slow:
    cmd: sh slow.sh
    deps: [src, slow.sh]
    outs: [slow.txt]
  behind:
    cmd: cat slow.txt > behind.txt
    deps: [slow.txt]
    outs: [behind.txt]
""",
    "src": "src\n",
    "slow.sh": "echo $$ > pid; echo partial > slow.txt; sleep 30 & wait; echo slow > slow.txt\n",
}
FAST = "echo slow > slow.txt\n"


def test_running_siblings_finish_and_nothing_new_starts(repository):
    project = repository(BROKEN)
    said = runner(project, "--workers", "2", code=1)
    assert set(entries(project)) == {"good"}
    assert "bad failed: its command ended with -9" in said
    assert "  some words\n" in said
    assert "  the reason\n" in said
    assert "run       other" not in said


def test_keep_going_skips_descendants_alone_and_repair_completes(tmp_path):
    both = twins(tmp_path, BROKEN)
    said = both.run("--keep-going", code=1)
    both.assert_same_results()
    assert set(entries(both.parallel)) == {"good", "other"}
    assert "not done: behind" in said
    both.write("bad.sh", "echo repaired\n")
    both.run()
    both.assert_same_results()
    assert status(both.parallel) == UP_TO_DATE


def test_a_failure_keeps_what_finished_out_of_git(repository):
    """Plain DVC takes back all of a failed run's entries of .gitignore (its open issue 11091)."""
    project = repository(BROKEN)
    runner(project, "--keep-going", code=1)
    assert ignored(project) == {".gitignore": {"/good.txt", "/other.txt"}}


def test_a_missing_output_fails_the_stage(repository):
    project = repository({"dvc.yaml": "stages: {s: {cmd: echo nothing, outs: [x]}}"})
    said = runner(project, code=1)
    assert "s failed: output 'x' does not exist" in said
    assert entries(project) == {}


def test_what_dvc_does_not_foresee_fails_one_stage(repository):
    """DVC allows no .dvcignore in an output, and says so by an exception of another kind."""
    one = "  s: {cmd: mkdir d; touch d/.dvcignore, outs: [d]}"
    stages = f"stages:\n{one}\n  t: {{cmd: echo t > t, outs: [t]}}"
    project = repository({"dvc.yaml": stages})
    said = runner(project, "--keep-going", code=1)
    assert "s failed: IgnoreInCollectedDirError: .dvcignore file should not be in" in said
    assert set(entries(project)) == {"t"}
    assert "Traceback" not in said


def test_a_dependency_edited_meanwhile_fails_the_stage_and_is_not_recorded(repository):
    project = repository({**SLOW, "slow.sh": "echo $$ > pid; sleep 0.7; cat src > slow.txt\n"})
    process = spawn(project, "slow")
    wait_until(lambda: has_text(project.folder / "pid"))
    (project.folder / "src").write_text("edited\n")
    said, _ = process.communicate()
    assert process.returncode == 1
    assert "slow failed: changed while the stage ran: src; nothing recorded" in said
    assert entries(project) == {}
    assert ran(project.dvc("repro", "slow")) == {"slow"}


def interrupt(project, number):
    process = spawn(project)
    wait_until(lambda: has_text(project.folder / "slow.txt"))
    wait_until(lambda: has_text(project.folder / "quick.txt"))
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    return said


def has_text(path):
    return path.exists() and path.read_text().endswith("\n")


def is_gone(project):
    number = (project.folder / "pid").read_text().strip()
    try:
        return psutil.Process(int(number)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_an_interrupted_run_records_what_finished_and_can_go_on(tmp_path):
    for number in (signal.SIGINT, signal.SIGTERM):
        project = make(tmp_path / f"{number}", SLOW)
        said = interrupt(project, number)
        assert is_gone(project)
        assert set(entries(project)) == {"quick"}
        assert "slow" in said
        assert ignored(project)[".gitignore"] == {"/quick.txt"}
        assert "quick" not in project.dvc("status", "quick", "slow")
        (project.folder / "slow.sh").write_text(FAST)
        assert "1 unchanged" in runner(project)
        assert status(project) == UP_TO_DATE


def test_a_killed_runner_takes_its_stages_along_and_loses_no_cached_result(repository):
    project = repository(SLOW)
    process = spawn(project)
    wait_until(lambda: project.files(".dvc/cache/runs") and project.files(".dvc/cache/files"))
    wait_until(lambda: has_text(project.folder / "pid"))
    process.kill()
    process.communicate()
    wait_until(lambda: is_gone(project), 15)
    (project.folder / "slow.sh").write_text(FAST)
    (project.folder / "dvc.lock").unlink(missing_ok=True)
    said = runner(project)
    assert "restored  quick" in said
    assert status(project) == UP_TO_DATE


def test_faults_are_one_line(repository, tmp_path):
    project = repository({"dvc.yaml": "stages: {s: {cmd: echo}}"})
    assert runner(project, "nothing", code=1).count("\n") == 1
    outside = type(project)(tmp_path, project.environment)
    said = outside.run(*RUNNER, code=1)
    assert "not inside of a DVC repository" in said
    assert said.count("\n") == 1


def test_a_run_goes_on_when_nobody_reads_what_it_says(repository):
    project = repository(FAN)
    project.run("sh", "-c", f"{shlex.join(RUNNER)} | head -n 1")
    wait_until(lambda: status(project) == UP_TO_DATE)
