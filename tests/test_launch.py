"""Tiny stages, run below a shell script called dvc; stubs stand for the libraries."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from stages.warm import LIBRARIES

ROOT = Path(__file__).parents[1]
FOREIGN = ("AFTERPRUNE_", "DVC_", "PYTHON")
CODE = ("__init__.py", "launch.py", "warm.py", "watch.py")
LAUNCH = f"'{sys.executable}' -m stages.launch"
TORCH = """
import os
LOADED_BY = os.getpid()
with open("loaded", "a") as file:
    file.write(f"{LOADED_BY}\\n")
"""
WHO = "import os, torch; print('own' if torch.LOADED_BY == os.getpid() else 'forked')"
WAIT = """
import os, signal, sys, time
from stages import watch
watch.SECONDS = 0.05
parent = os.getpid()
replicate = os.fork()
if replicate == 0:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch.end_with_parent(parent)
    time.sleep(60)
try:
    print(os.getpid(), replicate, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    os.kill(replicate, 9)
    sys.exit(7)
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project of tiny stages, and no DVC above the tests."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    Path("stages").mkdir()
    for name in CODE:
        shutil.copy(ROOT / "stages" / name, "stages")
    for name in LIBRARIES:
        stub(name)
    Path("torch/__init__.py").write_text(TORCH)
    Path("dvc").write_text('#!/bin/sh\neval "$1"\nexit $?\n')
    Path("dvc").chmod(0o755)
    stage("who", WHO)
    return tmp_path


def stub(library):
    """Let a library be an empty package; psutil is in use."""
    folder = Path(*library.split("."))
    for package in [folder, *folder.parents][:-1]:
        if package.name != "psutil":
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()


def stage(name, code):
    Path("stages", f"{name}.py").write_text(code)


def below_dvc(script):
    return begin(script).communicate(input="input\n", timeout=60)


def begin(script, stdout=subprocess.PIPE):
    return subprocess.Popen(
        [Path("dvc").absolute(), script],
        env={**os.environ, "DVC_STAGE": "one"},
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def waiting():
    """Begin a stage that waits; yield DVC, and the numbers of the stage and of its replicate."""
    stage("wait", WAIT)
    process = begin(f"trap : INT; {LAUNCH} wait; echo ended with $?; {LAUNCH} who")
    numbers = [int(number) for number in process.stdout.readline().split()]
    yield process, *numbers
    for number in [process.pid, *numbers]:
        with suppress(ProcessLookupError):
            os.kill(number, 9)
    process.communicate()


def loads():
    return len(Path("loaded").read_text().split())


def workers():
    """Return the processes that work in the project, zombies left out."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == os.getcwd() and process.pid != os.getpid():  # noqa: PTH109
                found.append(process)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def running(module):
    """Return the process that was started as `python -m module`, not those forked from it."""
    found = {}
    for process in workers():
        with suppress(psutil.Error):
            if process.cmdline()[1:3] == ["-m", module]:
                found[process.create_time()] = process
    return found[min(found)]


def ignored(process):
    """Return the mask of the signals that a process ignores."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("SigIgn:")).split()[1], 16)


def gone(numbers):
    return not any(
        psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE
        for number in numbers
    )


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def test_the_stages_of_one_dvc_load_the_libraries_once():
    stage("some", f"{WHO}\nprint(os.environ['DVC_STAGE'], os.environ.get('DVC_MORE'))")
    said, _ = below_dvc(f"DVC_MORE=more {LAUNCH} some; DVC_STAGE=two {LAUNCH} some")
    assert said == "forked\none more\nforked\ntwo None\n"
    assert loads() == 1


def test_a_server_that_was_killed_is_replaced():
    process = begin(f"{LAUNCH} who; read line; {LAUNCH} who")
    assert process.stdout.readline() == "forked\n"
    running("stages.warm").kill()
    assert process.communicate(input="\n") == ("forked\n", "")
    assert loads() == 2


def test_every_dvc_loads_them_anew():
    assert [below_dvc(f"{LAUNCH} who")[0] for _ in range(2)] == ["forked\n"] * 2
    assert loads() == 2


@pytest.mark.parametrize(
    "command",
    [
        f"unset DVC_STAGE; {LAUNCH} who",
        f"AFTERPRUNE_WARM=0 {LAUNCH} who",
        f"'{sys.executable}' -W error -m stages.launch who",
        f"touch build; {LAUNCH} who",
    ],
)
def test_a_stage_runs_in_its_own_process_where_no_server_should_or_can_be(command):
    assert below_dvc(command) == ("own\n", "")


def test_a_stage_runs_in_its_own_process_when_the_server_dies_before():
    Path("torch/__init__.py").write_text(f"import sys\nassert 'who.py' in sys.argv[0]\n{TORCH}")
    said, complaint = below_dvc(f"{LAUNCH} who")
    assert said == "own\n"
    assert "AssertionError" in complaint


def test_a_stage_by_hand_needs_no_dvc():
    stage("some", f"{WHO}\nimport sys; print(sys.argv[1:]); sys.exit('end')")
    command = [sys.executable, "-m", "stages.launch", "some", "a", "--b"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("own\n['a', '--b']\n", "end\n")
    assert ended.returncode == 1


def test_another_environment_gets_another_server():
    stage("some", f"{WHO}\nprint(os.environ.get('VARIABLE'), os.umask(0))")
    script = f"umask 022; {LAUNCH} some; VARIABLE=set {LAUNCH} some; {LAUNCH} some"
    said, _ = below_dvc(f"{script}; umask 0; {LAUNCH} some")
    assert said == "forked\nNone 18\nforked\nset 18\nforked\nNone 18\nforked\nNone 0\n"
    assert loads() == 3


@pytest.mark.parametrize(
    "code",
    [
        "import sys; print(sys.argv, sys.stdin.read(), file=sys.stderr)",
        "import os; print(sorted(os.environ.items()), os.getcwd(), os.umask(0))",
        "import os; os.write(1, b'first '); print('second'); os.write(1, b'third ')",
        "import sys; print([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)])",
        "import sys; print(__name__, __spec__.name, sys.modules['__main__'].__spec__.name)",
        "import sys; sys.stdout.write('no end of line'); sys.stderr.write('nor here')",
        "import warnings; warnings.warn('careful')",
        "import atexit; atexit.register(print, 'at exit'); print('before')",
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()",
        "import sys; sys.exit('params.yaml: one line')",
        "import sys; sys.exit(3)",
        "import sys; sys.exit()",
        "import sys; sys.exit(True)",
        "import os; os._exit(5)",
    ],
)
def test_a_stage_says_and_ends_as_without(code):
    stage("some", code)
    with_it, without = (
        below_dvc(f"umask 027; {command} a --b 'c d'; echo $? >&2")
        for command in (f"{LAUNCH} some", f"'{sys.executable}' -m stages.some")
    )
    assert with_it == without


def test_a_stage_writes_lines_at_once_to_a_terminal():
    stage("some", "import os; print('a line'); os._exit(0)")
    master, terminal = os.openpty()
    begin(f"{LAUNCH} some", stdout=terminal).communicate()
    os.close(terminal)
    assert os.read(master, 6) == b"a line"
    os.close(master)


def test_a_stage_must_be_named():
    _, said = below_dvc(LAUNCH)
    assert said == "usage: python -m stages.launch STAGE [ARGUMENT ...]\n"


def test_an_exception_is_told():
    stage("some", "raise ValueError('no such thing')")
    _, said = below_dvc(f"{LAUNCH} some; echo $? >&2")
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("ValueError: no such thing\n1\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGABRT])
def test_a_stage_that_a_signal_ends_fails(number):
    stage("some", f"import os; os.kill(os.getpid(), {int(number)})")
    assert below_dvc(f"{LAUNCH} some; echo $?")[0] == f"{128 + number}\n"


def test_code_is_read_after_the_fork():
    stage("part", "TEXT = 'old'")
    stage("some", "import sys, stages, stages.part\nprint(stages.part.TEXT, stages.STARTED_NS)")
    edit = "echo \"TEXT = 'edited'\" > stages/part.py; date +%s%N"
    said, _ = below_dvc(f"{LAUNCH} some; {edit}; {LAUNCH} some")
    old, _, edited_ns, new, started_ns = said.split()
    assert (old, new) == ("old", "edited")
    assert int(started_ns) > int(edited_ns)


def test_the_server_ends_with_its_dvc_and_leaves_nothing():
    below_dvc(f"{LAUNCH} who")
    wait_until(lambda: not workers())
    assert list(Path("build").iterdir()) == []


def test_the_server_ends_with_its_project():
    process = begin(f"{LAUNCH} who; cat")
    assert process.stdout.readline() == "forked\n"
    server = running("stages.warm")
    assert [path.stat().st_mode & 0o777 for path in Path("build").iterdir()] == [0o600]
    assert {os.readlink(f"/proc/{server.pid}/fd/{i}") for i in range(3)} == {os.devnull}  # noqa: PTH115
    shutil.rmtree("build")
    wait_until(lambda: not server.is_running())
    process.communicate()


def test_a_killed_client_takes_its_stage_along(waiting):
    process, *numbers = waiting
    running("stages.launch").kill()
    wait_until(lambda: gone(numbers))
    assert process.stdout.readline() == f"ended with {128 + signal.SIGKILL}\n"


def test_a_killed_dvc_takes_its_stage_along_and_says_so(waiting):
    process, *numbers = waiting
    process.kill()
    wait_until(lambda: gone(numbers) and not workers())
    said = process.stderr.read()
    assert said == "DVC is gone: this stage stops; run `dvc repro` to go on\n"


def test_a_stage_whose_keeper_is_killed_ends_and_fails(waiting):
    process, *numbers = waiting
    psutil.Process(numbers[0]).parent().kill()
    said, complaint = process.communicate(timeout=30)
    assert said.startswith("ended with 1\n")
    assert complaint == "the process that kept this stage died; AFTERPRUNE_WARM=0 does without it\n"
    wait_until(lambda: gone(numbers))


def test_ctrl_c_reaches_the_stage_once_and_the_client_ends_as_it_does(waiting):
    process, *numbers = waiting
    client = running("stages.launch")
    wait_until(lambda: ignored(client) & 1 << signal.SIGINT - 1)
    os.killpg(process.pid, signal.SIGINT)
    said, complaint = process.communicate(timeout=10)
    assert said == "interrupted\nended with 7\nforked\n"
    assert complaint == ""
    assert gone(numbers)
    assert loads() == 1  # the server went on


def test_a_killed_group_takes_the_stage_along(waiting):
    process, *numbers = waiting
    os.killpg(process.pid, signal.SIGKILL)
    wait_until(lambda: gone(numbers) and not workers())


def test_the_client_loads_no_library():
    script = "import sys, stages.launch; print(*{name.split('.')[0] for name in sys.modules})"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = set(ended.stdout.split())
    assert "stages" in loaded
    assert loaded & {library.split(".")[0] for library in LIBRARIES} == {"psutil"}
