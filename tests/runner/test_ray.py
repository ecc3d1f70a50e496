"""Stages on a cluster of Ray: two nodes of this machine, one of which dies."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.pipeline.project import wait_until
from tests.runner.pipelines import FAN
from tests.runner.test_failures import BROKEN, FAST, SLOW, has_text, is_gone
from tests.runner.twins import UP_TO_DATE, entries, make, runner, spawn, status, twins

pytest.importorskip("ray")
pytestmark = pytest.mark.pipeline

BEATS = {
    "dvc.yaml": """
stages:
  first:
    cmd: echo first > first.txt
    deps: [src]
    outs: [first.txt]
  beating:
    cmd:
      - echo begun > begun.txt
      - python beat.py leader
    deps: [beat.py, first.txt]
    outs: [begun.txt, out.txt, kept.txt: {persist: true}]
    meta: {run: {cores: 2}}
  beside:
    cmd: sleep 1; cat first.txt > beside.txt
    deps: [first.txt]
    outs: [beside.txt]
  last:
    cmd: cat out.txt beside.txt > last.txt
    deps: [out.txt, beside.txt]
    outs: [last.txt]
""",
    "src": "src\n",
    ".gitignore": "/beats\n",
    "beat.py": """
import os, signal, subprocess, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
leads = sys.argv[1] == "leader"
if leads:
    open("out.txt", "x").write("half")
    open("kept.txt", "w").write("kept")
    other = subprocess.Popen([sys.executable, __file__, "other"])
for _ in range(100):
    with open("beats", "a") as file:
        file.write(f"{os.getpgid(0)} {os.getpid()} {time.time()}\\n")
    time.sleep(0.02)
if leads:
    other.wait()
    open("out.txt", "w").write("whole\\n")
""",
}
"""A stage of two stubborn processes that says whenever it lives."""

GPUS = {
    "dvc.yaml": """
stages:
  one:
    foreach: [a, b]
    do:
      cmd: >-
        touch ${item}.begun; sleep 1.5; test -e a.begun -a -e b.begun &&
        echo "[$CUDA_VISIBLE_DEVICES]" > ${item}.txt
      outs: ['${item}.txt']
  none:
    cmd: echo "[$CUDA_VISIBLE_DEVICES]" > none.txt
    outs: [none.txt]
    meta: {run: {gpus: 0}}
"""
}
"""Two stages that run only beside each other."""


@pytest.mark.slow
def test_any_pipeline_on_a_cluster_started_for_the_run(tmp_path):
    fan = twins(tmp_path, FAN)
    fan.plain.dvc("repro")
    folders = set(Path("/tmp").glob("afterprune-*"))
    said = runner(fan.parallel, "--ray", "local", "--workers", "2")
    assert said.endswith("5 ran\n")
    assert "ray" not in said.lower()  # nothing of its own
    fan.assert_same()
    assert set(Path("/tmp").glob("afterprune-*")) == folders
    assert ours(fan.parallel) == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--ray", "127.0.0.1:9"), "--ray is '127.0.0.1:9': [Errno 111] Connection refused"),
        (("--ray", "nonsense"), "; it should be auto, local or a cluster's address"),
        (("--ray", "auto", "--workers", "2"), "leave out --workers and --gpus"),
        (("--ray", "auto", "--gpus", "none"), "leave out --workers and --gpus"),
    ],
)
def test_an_address_of_no_use_is_one_line(repository, words, reason):
    project = repository({"dvc.yaml": "stages: {s: {cmd: echo}}"})
    said = runner(project, *words, code=1)
    assert reason in said
    assert said.count("\n") == 1


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster of a node with one core, which others may join."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def node(cluster):
    """Return a node with two cores, which the test may kill."""
    node = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    yield node
    if node in cluster.list_all_nodes():
        cluster.remove_node(node)


def lives(folder):
    """Return when the attempts at the beating stage lived, first and last beat of each."""
    found = {}
    for line in (folder / "beats").read_text().splitlines():
        group, _, seconds = line.split()
        found.setdefault(group, []).append(float(seconds))
    return sorted((min(beats), max(beats)) for beats in found.values())


def processes(project):
    lines = (project.folder / "beats").read_text().splitlines()
    return [int(line.split()[1]) for line in lines]


def ours(project):
    """Return the processes that were started in a repository: stages, and Ray for a run."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        try:
            if process.ppid() != os.getpid() and Path(process.cwd()) == project.folder:
                found.append(process.info)
        except psutil.Error:
            pass
    return found


def kill_node(cluster, node, project):
    cluster.remove_node(node, allow_graceful=False)


def kill_worker(cluster, node, project):
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::beating"):
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("kill", [kill_node, kill_worker])
def test_a_stage_runs_again_on_another_node_when_its_own_dies(tmp_path, cluster, node, kill):
    both = twins(tmp_path, BEATS)
    both.plain.dvc("repro")
    process = spawn(both.parallel, "--ray", cluster.address)
    beats = both.parallel.folder / "beats"
    wait_until(lambda: beats.exists() and len(set(processes(both.parallel))) == 2, 30)
    kill(cluster, node, both.parallel)
    killed = time.time()
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 0, said
    first, second = lives(both.parallel.folder)
    assert first[1] < killed + 2.5
    assert first[1] < second[0]
    assert [said.count(f"ran       {name}") for name in entries(both.plain)] == [1] * 4
    assert said.endswith("4 ran\n")
    both.assert_same()
    assert status(both.parallel) == UP_TO_DATE
    assert (
        "lost to Ray's" in (both.parallel.folder / ".dvc/tmp/runner/logs/beating.log").read_text()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpus", "shares", "found"), [(2, "1", {"[0]\n", "[1]\n"}), (1, "2", {"[0]\n"})]
)
def test_ray_says_which_gpu_a_stage_has(tmp_path, cluster, gpus, shares, found):
    node = cluster.add_node(num_cpus=3, num_gpus=gpus)
    cluster.wait_for_nodes()
    project = make(tmp_path / "gpus", GPUS)
    runner(project, "--ray", cluster.address, "--per-gpu", shares)
    cluster.remove_node(node)
    assert {(project.folder / f"{name}.txt").read_text() for name in "ab"} == found
    assert (project.folder / "none.txt").read_text() == "[]\n"


@pytest.mark.slow
def test_a_failing_stage_is_not_tried_again(tmp_path, cluster):
    project = make(tmp_path / "broken", {**BROKEN, "bad.sh": "echo run >> runs; kill $PPID\n"})
    said = runner(project, "--ray", cluster.address, "--keep-going", code=1)
    assert "bad failed: its command ended with -15" in said
    assert "  some words\n" in said
    assert (project.folder / "runs").read_text() == "run\n"
    assert set(entries(project)) == {"good", "other"}


@pytest.mark.slow
def test_a_command_that_kills_itself_is_not_tried_again(tmp_path, cluster):
    project = make(tmp_path / "broken", BROKEN)
    said = runner(project, "--ray", cluster.address, "bad", code=1)
    assert "bad failed: its command ended with -9" in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_records_what_finished_and_can_go_on(tmp_path, cluster, node, number):
    project = make(tmp_path / "slow", SLOW)
    process = spawn(project, "--ray", cluster.address)
    wait_until(lambda: has_text(project.folder / "slow.txt"), 30)
    wait_until(lambda: has_text(project.folder / "quick.txt"), 30)
    time.sleep(1)
    os.killpg(process.pid, number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert is_gone(project)
    assert set(entries(project)) == {"quick"}
    assert "not done: slow" in said
    (project.folder / "slow.sh").write_text(FAST)
    assert "1 unchanged" in runner(project, "--ray", cluster.address)
    assert status(project) == UP_TO_DATE


@pytest.mark.slow
def test_a_second_signal_kills(tmp_path, cluster, node):
    project = make(tmp_path / "beats", BEATS)
    process = spawn(project, "--ray", cluster.address)
    wait_until(lambda: (project.folder / "beats").exists(), 30)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGINT
    wait_until(lambda: not any(map(psutil.pid_exists, processes(project))), 1)
    assert "beating" not in entries(project)


@pytest.mark.slow
def test_a_killed_runner_takes_its_stages_along(tmp_path, cluster, node):
    project = make(tmp_path / "beats", BEATS)
    process = spawn(project, "--ray", cluster.address)
    wait_until(lambda: (project.folder / "beats").exists(), 30)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(psutil.pid_exists, processes(project))), 10)
    runner(project, "--ray", cluster.address)
    assert status(project) == UP_TO_DATE
    first, second = lives(project.folder)
    assert first[1] < second[0]
