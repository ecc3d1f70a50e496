import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from tqdm import tqdm

from stages.pipeline.fault import Fault
from stages.replicates.processes import run_replicates
from stages.replicates.workers import workers

ROOT = Path(__file__).parents[2]
TRAIN = """
import sys
from pathlib import Path
import torch
from torch import nn
from stages.pipeline.files import save_arrays
from stages.replicates.settings import Compute
from stages.replicates.environment import activate
from stages.training.optimizer import Optimizer
from stages.training.settings import Recipe
from stages.replicates.processes import run_replicates

RECIPE = Recipe(
    batch_size=30, optimizer={"kind": "sgd", "nesterov": True, "weight_decay": 0.01}
)

def task(folder, number):
    activate(Compute(device="cpu"))
    torch.manual_seed(number)
    net = nn.Sequential(nn.Linear(40, 40), nn.BatchNorm1d(40), nn.Linear(40, 5))
    optimizer = Optimizer(net, RECIPE.optimizer)
    for _ in range(20):
        net(torch.randn(30, 40)).logsumexp(1).sum().backward()
        optimizer.step(0.1, 0.9)
    weights = {name: t.numpy() for name, t in net.state_dict().items()}
    save_arrays(folder / str(number), weights)
    activate(Compute(device="cpu", threads=2))
    print(*sorted(set(sys.modules) - known))

import os
known = set(sys.modules)
for count in ("1", "2"):
    os.environ["AFTERPRUNE_WORKERS"] = count
    run_replicates(lambda number: task(Path(sys.argv[1]) / count, number), 2, 1)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folders "1" and "2" of networks trained by so many workers, and what replicates imported."""
    folder = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "-c", TRAIN, folder]
    done = subprocess.run(command, cwd=ROOT, check=True, timeout=60, capture_output=True, text=True)
    return folder, done.stdout.split()


@pytest.fixture(autouse=True)
def two_workers(monkeypatch):
    monkeypatch.setenv("AFTERPRUNE_WORKERS", "2")


def note(folder, number):
    (folder / str(number)).write_text(str(os.getpid()))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def wait_for(path):
    deadline = time.monotonic() + 5
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert path.exists()


def test_every_replicate_has_a_process_of_its_own(tmp_path):
    run_replicates(partial(note, tmp_path), 5, 1)
    pids = content(tmp_path)
    assert set(pids) == set("01234")
    assert len({*pids.values(), str(os.getpid()).encode()}) == 6


def test_no_replicates_are_no_work(tmp_path):
    run_replicates(partial(note, tmp_path), 0, 1)
    assert content(tmp_path) == {}


def test_two_workers_work_side_by_side(tmp_path):
    def meet(number):
        note(tmp_path, number)
        wait_for(tmp_path / str(1 - number))

    run_replicates(meet, 2, 1)


def test_one_worker_works_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("AFTERPRUNE_WORKERS", "1")
    log = tmp_path / "log"

    def task(number):
        for word in ("begin", "end"):
            with log.open("a") as file:
                file.write(f"{number} {word}\n")
            time.sleep(0.02)

    run_replicates(task, 3, 1)
    expected = [f"{n} {word}" for n in range(3) for word in ("begin", "end")]
    assert log.read_text().splitlines() == expected


@pytest.mark.parametrize(("threads", "expected"), [(1, 8), (3, 2), (8, 1), (9, 1)])
def test_workers_share_the_processors(threads, expected, monkeypatch):
    monkeypatch.delenv("AFTERPRUNE_WORKERS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert workers(threads) == expected


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "1.5", "²"])
def test_a_bad_number_of_workers_is_a_fault(text, monkeypatch, tmp_path):
    monkeypatch.setenv("AFTERPRUNE_WORKERS", text)
    with pytest.raises(Fault, match=f"AFTERPRUNE_WORKERS is {text!r}; it should be a whole number"):
        run_replicates(partial(note, tmp_path), 1, 1)
    assert content(tmp_path) == {}


def test_a_fault_of_a_replicate_is_told_and_the_others_are_stopped(tmp_path):
    def task(number):
        note(tmp_path, number)
        if number == 0:
            wait_for(tmp_path / "1")
            raise Fault("params.yaml: seed is 3; no")
        time.sleep(60)

    begin = time.monotonic()
    with pytest.raises(Fault, match=r"^params\.yaml: seed is 3; no$"):
        run_replicates(task, 4, 1)
    assert time.monotonic() - begin < 5
    assert content(tmp_path).keys() == {"0", "1"}
    assert not psutil.pid_exists(int((tmp_path / "1").read_text()))


def test_a_killed_replicate_is_a_fault_with_its_exit_code():
    def task(number):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Fault, match="-9"):
        run_replicates(task, 2, 1)


def test_an_error_of_a_replicate_is_a_fault_with_its_traceback_above(capfd):
    def task(number):
        raise ZeroDivisionError("here")

    with pytest.raises(Fault, match="exit code 1"):
        run_replicates(task, 1, 1)
    assert "ZeroDivisionError: here" in capfd.readouterr().err


def test_weights_do_not_depend_on_the_number_of_workers(trained):
    one, two = (content(trained[0] / count) for count in "12")
    assert one == two
    assert len(set(one.values())) == 2


def test_a_replicate_does_not_import_torchs_compiler(trained):
    """torch.use_deterministic_algorithms does: 900 modules, 1.5 s, in every replicate anew."""
    assert [name for name in trained[1] if name.startswith("torch._inductor")] == []


def test_replicates_share_one_lock_for_their_bars(tmp_path, monkeypatch):
    """Else each would make its own at its first bar, and their lines would run into each other."""
    monkeypatch.delattr(tqdm, "_lock", raising=False)

    def task(number):
        (tmp_path / str(number)).write_text(str(hasattr(tqdm, "_lock")))

    run_replicates(task, 2, 1)
    assert [(tmp_path / name).read_text() for name in "01"] == ["True", "True"]


def saving(folder, number):
    """Wait to be told to leave, and save what a replicate would."""
    note(folder, number)
    try:
        time.sleep(60)
    except SystemExit as ending:
        (folder / f"saved {number}").write_text(f"{ending.code}")
        raise


def test_replicates_that_are_stopped_save_first(tmp_path):
    def task(number):
        if number == 0:
            wait_for(tmp_path / "1")
            raise Fault("no")
        saving(tmp_path, number)

    with pytest.raises(Fault, match=r"^no$"):
        run_replicates(task, 2, 1)
    assert (tmp_path / "saved 1").read_text() == "143"


def test_a_replicate_that_is_told_to_stop_ends_with_143(tmp_path):
    def task(number):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        saving(tmp_path, number)

    with pytest.raises(Fault, match="exit code 143"):
        run_replicates(task, 1, 1)


def test_a_replicate_that_does_not_leave_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.replicates.processes.GRACE", 0.1)

    def task(number):
        if number == 0:
            wait_for(tmp_path / "1")
            raise Fault("no")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(tmp_path, number)
        time.sleep(60)

    with pytest.raises(Fault, match=r"^no$"):
        run_replicates(task, 2, 1)
    assert not psutil.pid_exists(int((tmp_path / "1").read_text()))
