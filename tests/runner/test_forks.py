"""Commands of Python, forked from a process that has imported their libraries."""

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.runner import warm
from stages.runner.dvc.pipeline import Command
from stages.runner.forks import Forks, python_words

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
SHELL = ["/bin/sh", "-c"]
PYTHON = f"{Path(sys.executable).parent}/python"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def forks(tmp_path):
    forks = Forks(tmp_path / "libraries.txt")
    yield forks
    forks.close()


def environment(**more):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    keep = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**keep, "PATH": path, "OMP_NUM_THREADS": "1", **more}


def command(folder, **more):
    return Command([], str(folder), environment(**more))


def started(forks, line, told, log):
    """Return the forked process; the first calls may come before the process that forks is up."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        process = forks.start([*SHELL, line], told, log)
        if process:
            return process
        time.sleep(0.05)
    raise AssertionError("nothing was forked")


PROBE = """
import json, os, sys
sys.path  # as Python makes it
facts = {
    "argv": sys.argv, "path": sys.path, "name": __name__, "folder": os.getcwd(),
    "told": os.environ.get("TOLD"), "group": os.getpgid(0) == os.getpid(),
    "stdin": sys.stdin.read(), "main": sys.modules["__main__"].__dict__ is globals(),
    "project": sorted(name for name in sys.modules if name.partition(".")[0] == "stages"),
}
print(json.dumps(facts))
"""


@pytest.mark.parametrize("line", ["python probe.py a 'b c'", "python -m probe a --b=c"])
def test_a_forked_command_finds_what_a_new_python_would(forks, folder, line, tmp_path):
    (folder / "probe.py").write_text(PROBE)
    told = command(folder, TOLD="yes")
    process = started(forks, line, told, tmp_path / "log")
    assert process.wait() == 0
    new = subprocess.run(
        [*SHELL, line], cwd=folder, env=told.environment, stdin=subprocess.DEVNULL,
        start_new_session=True, check=True, capture_output=True, text=True,
    )  # fmt: skip
    forked = json.loads((tmp_path / "log").read_text())
    assert forked == {**json.loads(new.stdout), "group": True}
    assert forked["told"] == "yes"


def test_exit_codes_and_errors_are_those_of_python(forks, folder, tmp_path):
    for code, text in {
        3: "import sys; sys.exit(3)",
        1: "1/0",
        -9: "import os; os.kill(os.getpid(), 9)",
    }.items():
        (folder / "end.py").write_text(text)
        log = tmp_path / f"log{code}"
        assert started(forks, "python end.py", command(folder), log).wait() == code
    assert (tmp_path / "log1").read_text() == (
        f'Traceback (most recent call last):\n  File "{folder}/end.py", line 1, in <module>\n'
        "    1/0\n    ~^~\nZeroDivisionError: division by zero\n"
    )
    (folder / "end.py").write_text("import sys; sys.exit('one line')")
    assert started(forks, "python end.py", command(folder), tmp_path / "said").wait() == 1
    assert (tmp_path / "said").read_text() == "one line\n"


ENDING = """
import atexit, gzip, sys, threading, time
from pathlib import Path

class Last:
    def __del__(self):
        Path("deleted").write_text("yes")

def later():
    time.sleep(0.3)
    print("thread")

left_open, last = open("open", "w"), Last()
left_open.write("all of it")
raw, zipped = open("raw", "wb"), gzip.open("zipped", "wt")
raw.write(b"bytes")
zipped.write("text")
atexit.register(print, "atexit")
threading.Thread(target=later).start()
print("main")
sys.stderr.write("no newline")
{end}
"""


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "raise SystemExit"])
@pytest.mark.parametrize("words", ["ending.py", "-m ending"])
def test_a_command_ends_as_python_does(forks, folder, tmp_path, words, end):
    (folder / "ending.py").write_text(ENDING.format(end=end))
    process = started(forks, f"python {words}", command(folder), tmp_path / "log")
    assert process.wait() == 0
    said = (tmp_path / "log").read_text()
    assert said.replace("no newline", "").split() == ["main", "thread", "atexit"]
    assert (folder / "open").read_text() == "all of it"
    assert (folder / "raw").read_bytes() == b"bytes"
    assert gzip.decompress((folder / "zipped").read_bytes()) == b"text"
    assert (folder / "deleted").read_text() == "yes"


def test_libraries_are_learned_and_the_projects_code_is_not(forks, folder, tmp_path):
    (folder / "own.py").write_text("import yaml")
    (folder / "uses.py").write_text(
        "import sys\nprint('yaml' in sys.modules, 'own' in sys.modules)\nimport own"
    )
    for shown in ("False False\n", "True False\n"):
        log = tmp_path / f"log{shown[0]}"
        assert started(forks, "python uses.py", command(folder), log).wait() == 0
        assert log.read_text() == shown
    known = (tmp_path / "libraries.txt").read_text().split()
    assert "yaml" in known
    assert not {"own", "uses", "__main__"} & set(known)


def test_edited_code_of_the_project_is_what_runs(forks, folder, tmp_path):
    for number in ("1", "2"):
        (folder / "own.py").write_text(f"VALUE = {number}")
        (folder / "uses.py").write_text("import own; print(own.VALUE)")
        log = tmp_path / number
        assert (
            started(
                forks,
                "python -B uses.py".replace("-B ", ""),
                command(folder, PYTHONDONTWRITEBYTECODE="1"),
                log,
            ).wait()
            == 0
        )
        assert log.read_text() == f"{number}\n"


def said(forks, line, told, log):
    assert started(forks, line, told, log).wait() == 0
    return log.read_text()


SPAWN = """
import dataclasses, multiprocessing

@dataclasses.dataclass
class Number:
    value: int

def twice(number):
    return Number(2 * number.value)

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map_async(twice, [Number(1)]).get(timeout=30))
"""
DRAWS = "import numpy.random, torch; print(numpy.random.rand(), torch.rand(1).item())"


def test_spawned_processes_and_random_draws_with_libraries_imported(forks, folder, tmp_path):
    """With torch comes multiprocessing, which keeps the main module and folder of that time."""
    (tmp_path / "libraries.txt").write_text("numpy.random\ntorch\n")
    (folder / "one.py").write_text(DRAWS)
    (folder / "inner").mkdir()
    (folder / "inner" / "spawns.py").write_text(SPAWN)
    draws = {said(forks, "python one.py", command(folder), tmp_path / f"log{n}") for n in range(3)}
    assert len({text.split()[0] for text in draws}) == len({text.split()[1] for text in draws}) == 3
    for line in ("python spawns.py", "python -m spawns"):
        log = tmp_path / line.replace(" ", "")
        assert said(forks, line, command(folder / "inner"), log) == "[Number(value=2)]\n"


@pytest.mark.parametrize("own", ["yaml.py", "yaml/__init__.py", "json/__init__.py"])
def test_modules_of_the_project_come_before_libraries_of_their_name(forks, folder, tmp_path, own):
    (tmp_path / "libraries.txt").write_text("yaml\n")
    (folder / "one.py").write_text("")
    started(forks, "python one.py", command(folder), tmp_path / "log").wait()
    for place, line in (("a", "python a/use.py"), ("b", "python -m use")):
        (folder / place / own).parent.mkdir(parents=True)
        (folder / place / own).write_text("")
        (folder / place / "use.py").write_text("")
        told = command(folder if place == "a" else folder / place)
        assert forks.start([*SHELL, line], told, tmp_path / "log") is None
    (folder / "yaml").mkdir()  # no module: a library of the name is found
    assert said(forks, "python one.py", command(folder), tmp_path / "log2") == ""


@pytest.fixture
def noisy(tmp_path, monkeypatch):
    """A Python of its own, with a library that prints, exits, or sets a variable when imported."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (libraries,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (libraries / "noisy.py").write_text("import os\nprint('loud')\nos.environ['SET'] = 'yes'\n")
    (libraries / "exits.py").write_text("raise SystemExit('not here')\n")
    (libraries / "slow.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(sys, "executable", f"{tmp_path}/venv/bin/python")
    (tmp_path / "libraries.txt").write_text("exits\n")
    return f"{tmp_path}/venv/bin{os.pathsep}{os.environ['PATH']}"


def test_what_libraries_do_when_imported_harms_nobody(forks, folder, tmp_path, noisy):
    (folder / "uses.py").write_text("import os, noisy; print(os.environ.get('SET'))")
    told = command(folder, PATH=noisy)
    assert said(forks, "python uses.py", told, tmp_path / "log1") == "loud\nyes\n"
    assert said(forks, "python uses.py", told, tmp_path / "log2") == "yes\n"
    assert "noisy" in (tmp_path / "libraries.txt").read_text().split()


def test_a_search_path_that_starts_from_the_folder_is_that_of_one_folder(forks, folder, tmp_path):
    for place in ("a", "b"):
        (folder / place / "lib").mkdir(parents=True)
        (folder / place / "one.py").write_text("")
    a, b = (command(folder / place, PYTHONPATH="lib") for place in ("a", "b"))
    assert said(forks, "python one.py", a, tmp_path / "log") == ""
    assert forks.start([*SHELL, "python one.py"], b, tmp_path / "log") is None


def test_a_script_that_is_not_there_is_left_to_python(forks, folder, tmp_path):
    (folder / "one.py").write_text("")
    (folder / "folder").mkdir()
    started(forks, "python one.py", command(folder), tmp_path / "log").wait()
    for line in ("python nowhere.py", "python folder"):
        assert forks.start([*SHELL, line], command(folder), tmp_path / "log") is None


def test_other_early_variables_start_a_new_python(forks, folder, tmp_path):
    (folder / "one.py").write_text("")
    started(forks, "python one.py", command(folder), tmp_path / "log").wait()
    other = command(folder, OMP_NUM_THREADS="2")
    assert forks.start([*SHELL, "python one.py"], other, tmp_path / "log") is None


def test_many_at_once_end_each_with_its_own_code(forks, folder, tmp_path):
    (folder / "end.py").write_text("import sys, time; time.sleep(0.1); sys.exit(int(sys.argv[1]))")
    started(forks, "python end.py 0", command(folder), tmp_path / "log").wait()
    calls = {
        n: started(forks, f"python end.py {n}", command(folder), tmp_path / "log")
        for n in range(20)
    }
    assert [process.wait() for process in calls.values()] == list(range(20))


def test_what_was_forked_ends_when_nobody_asks_for_more(forks, folder, tmp_path):
    (folder / "long.py").write_text("import time; time.sleep(60)")
    process = started(forks, "python long.py", command(folder), tmp_path / "log")
    forks._server.stdin.close()
    forks._server.wait(5)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_it_ends_with_the_runner_also_while_it_imports_libraries(tmp_path, folder, noisy):
    (tmp_path / "libraries.txt").write_text("slow\n")
    (folder / "one.py").write_text("")
    forks = Forks(tmp_path / "libraries.txt")
    assert forks.start([*SHELL, "python one.py"], command(folder, PATH=noisy), tmp_path) is None
    forks._server.stdin.close()
    assert forks._server.wait(20) == 0


def test_what_was_forked_ends_with_the_runner_also_while_libraries_are_imported(
    tmp_path, folder, noisy
):
    (folder / "long.py").write_text("import time; time.sleep(60)")
    told = command(folder, PATH=noisy)
    forks = Forks(tmp_path / "libraries.txt")
    process = started(forks, "python long.py", told, tmp_path / "log")
    (tmp_path / "libraries.txt").write_text("slow\n")
    forks._ask({"id": 1, "words": ["long.py"], "folder": f"{folder}"})
    forks._server.stdin.close()
    assert forks._server.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_the_end_of_the_process_that_forks_ends_what_it_forked(forks, folder, tmp_path):
    (folder / "long.py").write_text("import time; time.sleep(60)")
    process = started(forks, "python long.py", command(folder), tmp_path / "log")
    forks._server.kill()
    assert process.wait() == -9
    assert forks.start([*SHELL, "python long.py"], command(folder), tmp_path / "log") is None


def test_a_file_of_libraries_imports_nothing_but_libraries(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    known = tmp_path / "libraries.txt"
    known.write_text("evil\nno.such\nyaml.constructor\n..\n")
    warm.load(known)
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python -m stages.train", ["-m", "stages.train"]),
        (f"{PYTHON} run.py 'a b' --lr=0.1", ["run.py", "a b", "--lr=0.1"]),
        ("python", []),
        ("python -m", []),
        ("python -c pass", []),
        ("python -B run.py", []),
        ("python run.py > out", []),
        ("python run.py; true", []),
        ("python run.py $HOME", []),
        ("python run.py *.txt", []),
        ("A=1 python run.py", []),
        ("cd x && python run.py", []),
        ("python 'run.py", []),
        ("/bin/sh run.py", []),
        ("python3.nowhere run.py", []),
    ],
)
def test_what_is_forked(line, words):
    assert python_words([*SHELL, line], environment()) == words


def test_another_python_is_not_forked(tmp_path):
    (tmp_path / "python").symlink_to(sys.executable)
    assert python_words([*SHELL, "python run.py"], {"PATH": str(tmp_path)}) == []
    assert python_words(["python", "run.py"], environment()) == []
