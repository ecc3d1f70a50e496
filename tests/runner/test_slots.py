"""Cores and GPUs that stages share."""

import os
import subprocess
import sys

import pytest

from stages.pipeline.cores import Cores
from stages.pipeline.fault import Fault
from stages.runner.demands import Demand, demand
from stages.runner.gpus import gpus
from stages.runner.slots import DEVICES, THREADS, Machine, Slot


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in (DEVICES, THREADS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(tmp_path):
    """Return a function that makes a machine of so many cores."""

    def make(cores, gpus=None, shares=1):
        return Machine(Cores.of(tmp_path, cores), cores, gpus, shares)

    return make


def free(tmp_path):
    [folder] = tmp_path.glob("of-*")
    cores = Cores(folder)
    taken = cores.take(100)
    cores.give(taken)
    return len(taken)


PARAMS = {"threads": 3, "devices": 2, "word": "x"}


@pytest.mark.parametrize(
    ("meta", "wanted"),
    [
        (None, Demand()),
        ("words", Demand()),
        ({"owner": "me"}, Demand()),
        ({"run": {"cores": 3, "gpus": 0}}, Demand(3, 0)),
        ({"run": {"cores": [2, 3]}}, Demand(6, 1)),
        ({"run": {"alone": True}}, Demand(1, 1, True)),
        ({"run": {"cores": "threads", "gpus": "devices"}}, Demand(3, 2)),
        ({"run": {"cores": ["threads", "devices", 2]}}, Demand(12, 1)),
        ({"run": {"cores": ["threads", "absent"]}}, Demand(3, 1)),
    ],
)
def test_a_stage_asks_in_its_meta(meta, wanted):
    assert demand("s", meta, PARAMS.get) == wanted


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            {"cores": 0},
            "dvc.yaml: part@a: meta.run.cores is 0; it should be a whole number, 1 or more",
        ),
        ({"cores": 1.5}, "meta.run.cores is 1.5"),
        ({"cores": None}, "meta.run.cores is None"),
        ({"cores": "word"}, "params.yaml: word is 'x'; it should be a whole number, 1 or more"),
        ({"cores": [2, True]}, "meta.run.cores is True"),
        ({"gpus": -1}, "meta.run.gpus is -1; it should be a whole number, 0 or more"),
        ({"alone": 1}, "meta.run.alone is 1; it should be true or false"),
        ({"gpu": 1}, "it may have cores"),
        (3, "meta.run is 3; it may have cores"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_stage(run, words):
    with pytest.raises(Fault) as fault:
        demand("part@a", {"run": run}, PARAMS.get)
    assert words in f"{fault.value}"


def test_cores_are_taken_until_given_and_lost_by_no_death(tmp_path):
    cores = Cores.of(tmp_path, 3)
    code = (
        "import sys, time; from pathlib import Path; from stages.pipeline.cores import Cores\n"
        "taken = Cores(Path(sys.argv[1])).take(2); print(len(taken), flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, cores.folder], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "2\n"
    taken = cores.take(3)
    assert len(taken) == 1
    cores.give(taken)
    other.kill()
    other.wait()
    assert free(tmp_path) == 3


def test_a_core_is_given_though_a_forked_process_has_its_file_open(tmp_path):
    cores = Cores.of(tmp_path, 1)
    [core] = cores.take(1)
    copy = os.dup(core)
    cores.give([core])
    assert free(tmp_path) == 1
    os.close(copy)


def test_runs_of_another_number_of_cores_leave_each_other_theirs(tmp_path):
    four, two = Cores.of(tmp_path, 4), Cores.of(tmp_path, 2)
    assert len(two.take(5)) == 2
    assert len(four.take(5)) == 4
    assert Cores.of(tmp_path, 2).take(5) == []


def test_a_stage_gets_its_cores_or_waits(machine, tmp_path):
    slots = machine(2)
    first = slots.take(Demand())
    assert (first.cores, first.gpus) == (1, 0)
    assert first.variables[THREADS] == "1"
    assert DEVICES not in first.variables
    assert first.where == "1 core"
    assert slots.take(Demand(2)) == "cores"
    assert free(tmp_path) == 0, "the free core is kept for the stage that waits"
    first.give_back()
    second = slots.take(Demand(2))
    assert isinstance(second, Slot)
    assert second.variables[THREADS] == "2"
    second.give_back()
    assert free(tmp_path) == 2


def test_cores_that_nobody_waits_for_are_free(machine, tmp_path):
    slots = machine(2)
    slots.take(Demand())
    assert slots.take(Demand(2)) == "cores"
    slots.relax()
    assert free(tmp_path) == 1


def test_more_cores_than_there_are_means_all(machine):
    slot = machine(2).take(Demand(5))
    assert slot.cores == 2
    slot.give_back()
    assert machine(3).take(Demand(1, 1, alone=True)).cores == 3


def test_the_users_number_of_threads_stays(machine, monkeypatch):
    monkeypatch.setenv(THREADS, "3")
    assert THREADS not in machine(2).take(Demand()).variables


def test_gpus_are_shared_evenly(machine):
    slots = machine(8, ["0", "1"], shares=2)
    given = [slots.take(Demand()) for _ in range(4)]
    assert [slot.variables[DEVICES] for slot in given] == ["0", "1", "0", "1"]
    assert slots.take(Demand()) == "gpus"
    assert slots.take(Demand(gpus=0)).variables[DEVICES] == ""
    given[1].give_back()
    assert slots.take(Demand()).variables[DEVICES] == "1"


def test_stages_see_no_gpu_where_none_is_shared(machine):
    assert machine(1, []).take(Demand()).variables[DEVICES] == ""


def test_several_gpus_for_a_stage(machine):
    slots = machine(8, ["0", "1", "2"])
    two = slots.take(Demand(gpus=2))
    assert two.variables[DEVICES] == "0,1"
    assert two.where == "GPU 0,1"
    assert slots.take(Demand(gpus=2)) == "gpus"
    assert slots.take(Demand(gpus=1)).variables[DEVICES] == "2"
    with pytest.raises(Fault, match="asks for 4 GPUs; GPUs to share: 3"):
        slots.take(Demand(gpus=4))


def test_gpus_are_named_by_the_environment_or_by_nvidia_smi(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0\necho 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert gpus("all") == ["0", "1"]
    assert gpus("1") == ["1"]
    assert gpus("none") == []
    monkeypatch.setenv(DEVICES, "GPU-a, GPU-b")
    assert gpus("all") == ["GPU-a", "GPU-b"]
    monkeypatch.setenv(DEVICES, "-1")
    assert gpus("all") is None
    monkeypatch.delenv(DEVICES)
    tool.write_text("#!/bin/sh\necho no driver\nexit 9\n")
    assert gpus("all") is None


@pytest.mark.parametrize("text", ["7", "0,0", "", "two"])
def test_gpus_that_are_not_there_are_refused(text, monkeypatch):
    monkeypatch.setenv(DEVICES, "0,1")
    with pytest.raises(Fault, match=r"^--gpus is .* all, none, or some of these, each once: 0, 1$"):
        gpus(text)
