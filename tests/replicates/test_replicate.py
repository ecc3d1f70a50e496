import json
from pathlib import Path

import pytest
import torch

from stages.pipeline.fault import Fault
from stages.pipeline.manifest import Manifest
from stages.pipeline.recovery import Work, recoverable
from stages.replicates.replicate import Outputs, Replicate, training
from stages.replicates.settings import Compute

CPU = Compute(device="cpu")


class Stage:
    """A stage whose replicates depend on their number and threads alone; `asked` says on what."""

    def __init__(self):
        self.asked = []
        self.check = lambda: None

    def replicate(self, number, narrowed=None, **more):
        self.asked.append((narrowed, more))
        return recoverable(f"{number}-{more['environment']['threads']}", lambda: self.check())


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setenv("AFTERPRUNE_STATE", str(tmp_path / "state"))
    return Stage()


@pytest.fixture
def outputs(tmp_path):
    return Outputs(*(tmp_path / "outputs" / name for name in ("nets", "outcomes", "env.json")))


def run(stage, outputs, number=0, compute=CPU, calls=None, **more):
    """Compute a replicate where it is not finished: a network, an outcome, and some progress."""
    with training(stage, number, compute, outputs, **more) as this:
        if not this.finished:
            (calls if calls is not None else []).append(this)
            (this.folder / "progress").write_text("half")
            for file in (this.networks / this.name / "last", this.outcome):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{number}")


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_a_replicate_is_computed_on_the_device_once(stage, outputs, tmp_path):
    calls = []
    for _ in range(2):
        run(stage, outputs, calls=calls)
    assert [(this.number, this.device, this.finished) for this in calls] == [
        (0, torch.device("cpu"), False)
    ]
    assert (tmp_path / "state" / "0-1" / "networks").is_dir()


def test_the_networks_and_the_outcome_reach_the_outputs_and_progress_does_not(stage, outputs):
    run(stage, outputs, number=1)
    assert content(outputs.networks) == {"replicate_1/last": "1"}
    assert content(outputs.outcomes) == {"replicate_1.safetensors": "1"}
    assert not outputs.environment.exists()


def test_an_output_holds_all_replicates(stage, outputs):
    for number in (1, 0):
        run(stage, outputs, number)
    assert content(outputs.networks) == {"replicate_0/last": "0", "replicate_1/last": "1"}
    assert content(outputs.outcomes).keys() == {
        "replicate_0.safetensors",
        "replicate_1.safetensors",
    }


def test_a_finished_replicate_reaches_the_outputs_of_a_later_run(stage, outputs, tmp_path):
    run(stage, outputs)
    later = Outputs(*(tmp_path / "later" / name for name in ("nets", "outcomes", "env.json")))
    run(stage, later)
    assert content(later.networks) == content(outputs.networks)
    assert content(later.outcomes) == content(outputs.outcomes)
    assert content(later.environment.parent)["env.json"] == outputs.environment.read_text()


def test_replicate_0_writes_the_environment_that_all_depend_on(stage, outputs):
    run(stage, outputs)
    about = json.loads(outputs.environment.read_text())
    assert (about["device"], about["threads"]) == ("cpu", 1)
    assert stage.asked == [(None, {"environment": about})]


def test_in_another_environment_it_is_computed_again(stage, outputs):
    calls = []
    for threads in (1, 2):
        run(stage, outputs, compute=Compute(device="cpu", threads=threads), calls=calls)
    assert len(calls) == 2


def test_what_a_replicate_reads_of_a_file_is_handed_on(stage, outputs):
    run(stage, outputs, narrowed={"plan.safetensors": "mine"})
    assert stage.asked[0][0] == {"plan.safetensors": "mine"}


def crash(stage, outputs):
    with training(stage, 0, CPU, outputs) as this:
        (this.folder / "progress").write_text("1 of 2")
        this.keep()
        raise ZeroDivisionError


def test_after_a_crash_it_goes_on_in_its_folder(stage, outputs):
    with pytest.raises(ZeroDivisionError):
        crash(stage, outputs)
    assert not outputs.networks.exists()
    with training(stage, 0, CPU, outputs) as this:
        assert not this.finished
        assert (this.folder / "progress").read_text() == "1 of 2"
        for folder in (this.networks, this.outcome.parent):
            folder.mkdir()


def test_its_check_is_that_of_the_stage(stage, outputs):
    def changed():
        raise Fault("net.py changed while it ran")

    with training(stage, 0, CPU, outputs) as this:
        this.check()
        for folder in (this.networks, this.outcome.parent):
            folder.mkdir()
        stage.check = changed
        with pytest.raises(Fault, match=r"net\.py changed"):
            this.check()
        stage.check = lambda: None


def test_its_files_are_named_after_it():
    work = Work(Manifest(Path("work")), finished=False, check=lambda: None)
    this = Replicate(3, torch.device("cpu"), work)
    assert this.name == "replicate_3"
    assert this.networks == Path("work/networks")
    assert this.outcome == Path("work/outcomes/replicate_3.safetensors")
