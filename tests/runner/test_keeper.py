"""What runs a stage on a node of a cluster, without the cluster."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stages.runner import keeper
from tests.pipeline.project import wait_until

SOURCE = Path(keeper.__file__).read_text().replace("GRACE = 10.0", "GRACE = 0.3")
STUBBORN = "trap '' TERM; echo $$ > pid; (trap '' TERM; sleep 30; echo on) & sleep 30; echo on"


class Stage:
    """A stage in a folder, run by keepers."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "lock").write_text("token")

    def start(self, *lines, outputs=(), **request):
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", SOURCE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        told = {
            "calls": [["/bin/sh", "-c", line] for line in lines],
            "folder": str(self.folder),
            "environment": dict(os.environ),
            "outputs": [str(self.folder / name) for name in outputs],
            "log": str(self.folder / "log"),
            "lock": str(self.folder / "lock"),
            "token": "token",
        }
        process.stdin.write(f"{json.dumps({**told, **request})}\n".encode())
        process.stdin.flush()
        return process

    def run(self, *lines, **request):
        return answer(self.start(*lines, **request))

    def log(self):
        return (self.folder / "log").read_text()

    def group(self):
        """Wait until a stubborn command runs; return its process group."""
        wait_until(lambda: has_text(self.folder / "pid"))
        return int((self.folder / "pid").read_text())


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def stop(process):
    process.stdin.write(b"stop\n")
    process.stdin.flush()


def answer(process):
    with process:
        return json.loads(process.stdout.read())


def has_text(path):
    return path.exists() and path.read_text().endswith("\n")


def members(group):
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def test_calls_run_in_turn_until_one_fails(stage):
    assert stage.run("echo one", "echo two >&2; exit 3", "echo three") == 3
    assert stage.log() == "one\ntwo\n"
    assert stage.run("kill -9 $$") == -signal.SIGKILL
    assert stage.run("true", "true") == 0


def test_the_command_has_the_request_for_its_environment(stage):
    assert stage.run("pwd; echo $TOLD", environment={"TOLD": "yes"}) == 0
    assert stage.log() == f"{stage.folder}\nyes\n"


def test_no_signal_is_blocked(stage):
    assert stage.run("kill -INT $$") == -signal.SIGINT


def test_outputs_of_an_earlier_attempt_are_removed(stage):
    (stage.folder / "file").write_text("half")
    (stage.folder / "folder").mkdir()
    (stage.folder / "folder" / "one").touch()
    (stage.folder / "kept").touch()
    outputs = ["file", "folder", "missing"]
    assert stage.run("ls -d file folder kept", outputs=outputs) != 0
    assert (stage.folder / "kept").exists()
    assert not (stage.folder / "file").exists()
    assert not (stage.folder / "folder").exists()


@pytest.mark.parametrize("told", [{"token": "other"}, {"lock": "/nowhere/lock"}])
def test_another_workspace_is_refused(stage, told):
    said = stage.run("echo ran", **told)
    assert f"does not see the workspace of {stage.folder}: the nodes of a cluster must" in said
    assert not (stage.folder / "log").exists()


def test_a_command_that_cannot_start_says_so(stage):
    assert "/nowhere" in stage.run(calls=[["/nowhere"]])


def test_a_command_dies_with_the_worker_that_asked_for_it_however_stubborn(stage):
    process = stage.start(STUBBORN)
    group = stage.group()
    assert len(members(group)) >= 2
    with process:
        process.stdin.close()
        assert json.loads(process.stdout.read()) == -signal.SIGKILL
        assert members(group) == []
    assert stage.log() == ""


def test_a_command_is_asked_to_stop_and_what_is_left_of_it_killed(stage):
    process = stage.start(STUBBORN.replace("trap '' TERM; echo $$", "echo $$"), "echo more")
    group = stage.group()
    with process:
        stop(process)
        assert json.loads(process.stdout.read()) == -signal.SIGTERM
        assert members(group) == []
    assert stage.log() == ""


def test_a_second_attempt_waits_for_the_first(stage):
    first = stage.start(STUBBORN)
    group = stage.group()
    second = stage.start("echo second")
    assert select.select([second.stdout], [], [], 0.5)[0] == []
    assert members(group)
    first.stdin.close()
    assert answer(second) == 0
    assert members(group) == []
    assert stage.log() == "second\n"
    answer(first)


def test_an_attempt_that_waits_can_be_stopped(stage):
    first = stage.start(STUBBORN)
    stage.group()
    second = stage.start("echo second")
    stop(second)
    assert answer(second) == -signal.SIGTERM
    first.stdin.close()
    answer(first)
    assert stage.log() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="others have no signal for a parent's death")
def test_a_command_dies_with_its_keeper(stage):
    process = stage.start("echo $$ > pid; exec sleep 30")
    group = stage.group()
    psutil.Process(psutil.Process(group).ppid()).kill()
    wait_until(lambda: not members(group))
    with process:
        assert process.stdout.read() == b""


def test_a_keeper_without_a_request_does_nothing():
    ended = subprocess.run(
        [sys.executable, "-I", "-c", SOURCE], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
