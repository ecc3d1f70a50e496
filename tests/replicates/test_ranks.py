"""Two processes that train one replicate together, on a CPU."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch

from stages.pipeline.fault import Fault
from stages.replicates import ranks
from stages.replicates.environment import activate, describe
from stages.replicates.processes import run_replicates
from stages.replicates.replicate import Outputs, training
from stages.replicates.settings import Compute
from stages.replicates.workers import workers
from tests.replicates.test_replicate import Stage, content

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
ENDLESS = """
import os, sys, time
from pathlib import Path
import torch
from stages.pipeline import watch
from stages.replicates import ranks
from stages.replicates.processes import run_replicates

watch.SECONDS = 0.05

def task(number):
    Path(sys.argv[1], str(os.getpid())).touch()
    while True:
        ranks.average([torch.ones(3)])

run_replicates(task, 1, 1, devices=2)
"""


@pytest.fixture
def on_each(tmp_path):
    """Return a function that calls another on each of some ranks, and returns what they return."""

    def call(function, devices=2):
        def task(number):
            (tmp_path / f"{ranks.number()}.json").write_text(json.dumps(function()))

        run_replicates(task, 1, 1, devices)
        return [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(devices)]

    return call


@pytest.fixture
def gone():
    """Return a function that waits until the processes whose numbers name files are gone."""

    def wait(folder, count=2):
        pids = [int(path.name) for path in folder.iterdir()]
        assert len(pids) == count
        deadline = time.monotonic() + 5
        while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(map(psutil.pid_exists, pids))

    return wait


def test_one_process_is_its_own_leader_and_joins_nobody(on_each):
    def facts():
        tensor = torch.tensor([3.0])
        ranks.average([tensor])
        ranks.copy_leader([tensor])
        assert not torch.distributed.is_initialized()
        whole = [ranks.devices(), ranks.number(), ranks.leads()]
        return [*whole, ranks.from_leader("a"), tensor.item()]

    assert on_each(facts, devices=1) == [[1, 0, True, "a", 3.0]]


def test_every_rank_knows_which_it_is(on_each):
    facts = on_each(lambda: [ranks.devices(), ranks.number(), ranks.leads()], devices=3)
    assert facts == [[3, 0, True], [3, 1, False], [3, 2, False]]


def test_the_leader_alone_writes(on_each):
    written = on_each(lambda: called(ranks.by_leader))
    assert written == [["text"], []]


def called(decorator):
    calls = []
    decorator(lambda text: calls.append(text))("text")
    return calls


def test_ranks_take_what_the_leader_has(on_each):
    value = ["a", 0, {"b": [None, 0.1, "é" * 3000]}]
    assert on_each(lambda: ranks.from_leader(["a", ranks.number(), value[2]])) == [value] * 2


def test_the_mean_is_over_ranks_and_keeps_shapes(on_each):
    """Ranks 0, 1 and 2 hold r and r * r: their means are 1 and 5 / 3."""

    def means():
        rank = float(ranks.number())
        one, other = torch.full((2, 1), rank), torch.full((2, 2), rank * rank).t()
        ranks.average([one, other])
        return [one.tolist(), other.tolist()]

    third = pytest.approx([5 / 3] * 2)
    assert on_each(means, devices=3) == [[[[1.0], [1.0]], [third, third]]] * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.bfloat16])
def test_tensors_of_any_kind_and_layout_follow_the_leader(dtype, on_each):
    def copied():
        last = torch.zeros(1, 2, 2, 2, dtype=dtype).to(memory_format=torch.channels_last)
        if ranks.leads():
            last.copy_(torch.arange(8).view(1, 2, 2, 2) % 3)
        ranks.copy_leader([last])
        return last.float().tolist()

    expected = (torch.arange(8).view(1, 2, 2, 2) % 3).to(dtype).float().tolist()
    assert on_each(copied) == [expected] * 2


def test_replicates_meet_apart(tmp_path, monkeypatch):
    """Four ranks of two replicates side by side: each averages with its own partner."""
    monkeypatch.setenv("AFTERPRUNE_WORKERS", "2")

    def task(number):
        mine = torch.tensor([10.0 * number + ranks.number()])
        ranks.average([mine])
        (tmp_path / f"{number}-{ranks.number()}").write_text(f"{mine.item()}")

    run_replicates(task, 3, 1, devices=2)
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    expected = {f"{n}-{r}": f"{10 * n + 0.5}" for n in range(3) for r in range(2)}
    assert found == expected


def test_replicates_of_several_devices_run_one_at_a_time_unless_told(monkeypatch):
    monkeypatch.delenv("AFTERPRUNE_WORKERS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert workers(1, devices=2) == 1
    monkeypatch.setenv("AFTERPRUNE_WORKERS", "3")
    assert workers(1, devices=2) == 3


def test_a_fault_of_any_rank_is_one_line_and_the_others_are_stopped(tmp_path, gone, capfd):
    def task(number):
        (tmp_path / f"{os.getpid()}").touch()
        ranks.from_leader()
        if not ranks.leads():
            raise Fault("params.yaml: seed is 3; no")
        ranks.average([torch.ones(3)])

    with pytest.raises(Fault, match=r"^params\.yaml: seed is 3; no$"):
        run_replicates(task, 1, 1, devices=2)
    gone(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_rank_is_one_line_that_names_it(victim, tmp_path, gone, capfd):
    def task(number):
        (tmp_path / f"{os.getpid()}").touch()
        ranks.from_leader()
        if ranks.number() == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        ranks.average([torch.ones(3)])

    expected = rf"^replicate 0, device {victim}: its process ended with exit code -9, killed"
    with pytest.raises(Fault, match=expected):
        run_replicates(task, 1, 1, devices=2)
    gone(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_an_error_of_a_rank_is_told_once(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(ranks, "GRACE_SECONDS", 0.5)

    def task(number):
        ranks.from_leader()
        if not ranks.leads():
            raise ZeroDivisionError("here")
        ranks.average([torch.ones(3)])

    with pytest.raises(Fault, match="replicate 0, device 1: its process ended with exit code 1"):
        run_replicates(task, 1, 1, devices=2)
    said = capfd.readouterr().err
    assert said.count("Traceback") == 1
    assert "ZeroDivisionError: here" in said


def test_ranks_end_with_the_process_that_started_them(tmp_path, gone):
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, tmp_path], cwd=ROOT, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 30
        while len([*tmp_path.iterdir()]) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.wait()
        gone(tmp_path)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def gpus(monkeypatch):
    """Return a function that makes this process rank 1 of some, on a machine of so many GPUs."""
    monkeypatch.setitem(os.environ, "CUBLAS_WORKSPACE_CONFIG", "")
    deterministic, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()

    def have(count, devices=2):
        monkeypatch.setattr(ranks, "devices", lambda: devices)
        monkeypatch.setattr(ranks, "number", lambda: 1)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)

    yield have
    torch.set_deterministic_debug_mode(deterministic)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_rank_has_a_gpu_of_its_own(name, gpus):
    gpus(2)
    assert activate(Compute(device=name)) == torch.device("cuda:1")


def test_more_devices_than_gpus_are_a_fault(gpus):
    gpus(2, devices=3)
    with pytest.raises(Fault, match=r"^params\.yaml: train\.devices is 3; .* 2 CUDA devices"):
        activate(Compute())


def test_on_a_cpu_all_ranks_share_it(gpus):
    gpus(0, devices=3)
    assert activate(Compute()) == CPU


def test_the_number_of_devices_is_part_of_the_environment_where_it_is_not_1(monkeypatch):
    alone = describe(Compute(), CPU)
    monkeypatch.setattr(ranks, "devices", lambda: 2)
    assert describe(Compute(), CPU) == {**alone, "devices": 2}
    assert "devices" not in alone


def test_a_replicate_has_one_folder_and_one_lock(tmp_path, monkeypatch, on_each):
    """Both ranks compute, in the leader's folder; the leader alone keeps what is there."""
    monkeypatch.setenv("AFTERPRUNE_STATE", str(tmp_path / "state"))
    outputs = Outputs(*(tmp_path / "outputs" / name for name in ("nets", "outcomes", "env.json")))

    @ranks.by_leader
    def write(*files):
        for file in files:
            file.parent.mkdir(parents=True)
            file.write_text("0")

    def compute():
        stage = Stage()
        with training(stage, 0, Compute(device="cpu"), outputs) as this:
            if not this.finished:
                write(this.networks / this.name / "last", this.outcome)
        return [str(this.folder), this.finished, this.first, len(stage.asked)]

    (folder, *leader), other = on_each(compute)
    assert leader == [False, True, 1]
    assert other == [folder, False, False, 0]
    assert content(outputs.networks) == {"replicate_0/last": "0"}
    assert json.loads(outputs.environment.read_text())["devices"] == 2
    again, _ = on_each(compute)
    assert again[1] is True
