import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stages.pipeline import guard
from stages.pipeline.fault import Fault
from stages.pipeline.guard import ASIDE, guarded
from stages.pipeline.section import Section
from tests.pipeline.disks import mounted

DVC = """
stages:
  train:
    cmd: python -m stages.train
    deps: [nets, data.txt, masks]
    params: [seed, seeds, train, build/code.json: [code_train]]
    outs: [models/dense, reports/result.json]
  validate:
    cmd: python -m stages.validate
    params:
      - params.yaml:
    outs: [ok]
  prune:
    matrix:
      method: ${prune.methods}
    cmd: python -m stages.prune
    params: ["prune.methods.${item.method}"]
    outs: ["models/${item.method}"]
  prune_iterative:
    matrix:
      method: ${prune.iterative}
    cmd: python -m stages.prune
    params: ["prune.iterative.${item.method}"]
    outs: ["models/${item.method}"]
  code:
    cmd: python -m stages.code
    outs: [build/code.json]
"""
PARAMS = """
seed: 0
seeds: 2
train: {epochs: 4, recipe: {lr: 0.1, decay: 1e-4}}
prune: {methods: {l1: {ratio: 0.5}, random: {ratio: 0.6}}, iterative: {rounds: {ratio: 0.2}}}
model: {code: net.py}
other: 1
"""
DENSE, RESULT = Path("models/dense"), Path("reports/result.json")


class Recipe(Section):
    lr: float
    decay: float


@dataclass
class Code:
    """The digest of every stage's code, in build/code.json and as the files are now."""

    recorded: str = "old"
    live: str = "old"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def check(self, module, model_code):
        self.asked.append((module, model_code))
        if self.live != self.recorded:
            raise Fault(f"build/code.json: the code of {module} has another digest now")
        return self.live


@pytest.fixture(autouse=True)
def code(monkeypatch):
    code = Code()
    monkeypatch.setattr("stages.pipeline.guard.check_code", code.check)
    return code


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFTERPRUNE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)
    Path("data.txt").write_text("data")
    for name in ("nets/a.py", "nets/sub/b.py", "masks/replicate_0.bin", "masks/replicate_1.bin"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def build(stage, text="new"):
    folder = stage.output("models/dense")
    folder.mkdir()
    (folder / f"{text}.bin").write_text(text)
    stage.output("reports/result.json").write_text(text)


def run(during=lambda stage: None, text="new"):
    with guarded("train") as stage:
        build(stage, text)
        during(stage)


def published():
    paths = [path for path in (DENSE, RESULT) if path.exists()]
    files = [f for path in paths for f in (path.iterdir() if path.is_dir() else [path])]
    return {str(file): file.read_text() for file in files}


def edit_params(old, new):
    text = Path("params.yaml").read_text()
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new))


def key(replicate=0, narrowed=None, **more):
    with guarded("train") as stage:
        build(stage)
        return stage.key(replicate, narrowed or {}, **more)


NEW = {"models/dense/new.bin": "new", "reports/result.json": "new"}


def test_outputs_are_in_place_when_the_stage_has_ended():
    run(lambda stage: (published() == {}) or pytest.fail("published before the end"))
    assert published() == NEW
    assert list(ASIDE.iterdir()) == []


def test_an_old_output_is_replaced_whole():
    run(text="old")
    run()
    assert published() == NEW


def test_a_declared_value_is_read_typed_and_frozen():
    with guarded("train") as stage:
        build(stage)
        assert stage.read("seeds", int) == 2
        recipe = stage.read("train.recipe", Recipe)
        assert recipe == Recipe(lr=0.1, decay=1e-4)
        assert recipe.decay == 0.0001


def test_the_whole_file_is_read_by_the_empty_key():
    with guarded("validate") as stage:
        stage.output("ok").write_text("ok")
        assert set(stage.read("", dict)) == {"seed", "seeds", "train", "prune", "model", "other"}
        assert stage.read("train.epochs", int) == 4


def test_a_matrix_stage_reads_and_writes_its_own():
    with guarded("prune", method="l1") as stage:
        stage.output("models/l1").write_text("l1")
        assert stage.read("prune.methods.l1", dict) == {"ratio": 0.5}
        with pytest.raises(Fault, match=r"reads prune\.methods\.random but does not list it"):
            stage.read("prune.methods.random", dict)


def test_a_stage_of_another_matrix_that_runs_the_same_module_reads_its_own():
    with guarded("prune", method="rounds") as stage:
        stage.output("models/rounds").write_text("rounds")
        assert stage.name == "prune_iterative-rounds"
        assert stage.declares("prune.iterative.rounds")
        assert not stage.declares("prune.methods.rounds")
        assert stage.read("prune.iterative.rounds", dict) == {"ratio": 0.2}


@pytest.mark.parametrize("name", ["other", "prune", "see", "trainer", ""])
def test_a_value_that_is_not_declared_is_a_fault(name):
    with pytest.raises(Fault) as fault, guarded("train") as stage:
        stage.read(name, dict)
    line = f"dvc.yaml: stage 'train' reads {name} but does not list it under params"
    assert str(fault.value) == line


def test_a_bad_value_is_a_fault_that_names_its_whole_key():
    edit_params("lr: 0.1", "lr: fast")
    with pytest.raises(Fault, match=r"^params\.yaml: train\.recipe\.lr is 'fast'; it should be"):
        run(lambda stage: stage.read("train.recipe", Recipe))


def test_a_missing_value_is_a_fault_that_names_its_whole_key():
    with pytest.raises(Fault, match=r"^params\.yaml: train\.epoch is missing; .* 'epochs'"):
        run(lambda stage: stage.read("train.epoch", int))


def test_an_output_that_is_not_declared_is_a_fault():
    with pytest.raises(Fault) as fault:
        run(lambda stage: stage.output("models/final"))
    line = "dvc.yaml: stage 'train' writes models/final but does not list it as output"
    assert str(fault.value) == line
    assert published() == {}


def test_an_output_that_was_never_asked_for_is_a_fault_and_nothing_is_published():
    run(text="old")
    with pytest.raises(Fault, match=r"stage 'train' lists reports/result\.json but did not write"):  # noqa: SIM117
        with guarded("train") as stage:
            stage.output("models/dense").mkdir()
    assert published() == {"models/dense/old.bin": "old", "reports/result.json": "old"}


def test_an_output_that_was_never_written_is_a_fault_and_nothing_is_published():
    run(text="old")
    with pytest.raises(Fault, match=r"stage 'train' lists reports/result\.json but did not write"):
        run(lambda stage: stage.built["reports/result.json"].unlink())
    assert published() == {"models/dense/old.bin": "old", "reports/result.json": "old"}


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda stage: Path("nets/sub/b.py").write_text("edited"), "nets/sub/b.py"),
        (lambda stage: Path("nets/c.py").write_text("more"), "nets/c.py"),
        (lambda stage: Path("masks/replicate_1.bin").unlink(), "masks/replicate_1.bin"),
        (lambda stage: Path("data.txt").unlink(), "data.txt"),
        (lambda stage: edit_params("epochs: 4", "epochs: 5"), "params.yaml: train"),
        (lambda stage: edit_params("seeds: 2", "seeds: 3"), "params.yaml: seeds"),
        (lambda stage: edit_params("seeds: 2", ""), "params.yaml: seeds"),
    ],
)
def test_what_changes_while_a_stage_runs_is_told_and_the_old_outputs_stay(edit, told):
    run(text="old")
    with pytest.raises(Fault) as fault:
        run(edit)
    assert told in str(fault.value)
    assert "run `dvc repro`" in str(fault.value) or "is missing" in str(fault.value)
    assert published() == {"models/dense/old.bin": "old", "reports/result.json": "old"}
    assert list(ASIDE.iterdir()) == []


def test_what_is_not_declared_may_change_while_a_stage_runs():
    def edit(stage):
        edit_params("other: 1", "other: 2")
        Path("notes.txt").write_text("mine")
        cached = Path("nets/__pycache__/a.pyc")
        cached.parent.mkdir()
        cached.write_text("compiled")

    run(edit)
    assert published() == NEW


def test_a_file_that_is_touched_is_not_changed():
    run(lambda stage: Path("nets/a.py").touch())
    assert published() == NEW


def test_an_error_publishes_nothing_and_leaves_nothing_aside():
    with pytest.raises(ZeroDivisionError):
        run(lambda stage: 1 / 0)
    assert published() == {}
    assert list(ASIDE.iterdir()) == []


def test_a_missing_dependency_is_a_fault():
    Path("data.txt").unlink()
    with pytest.raises(Fault, match=r"^data\.txt: no such file or folder; run `dvc repro`"):
        run()


@pytest.mark.parametrize(
    "edit",
    [
        lambda: edit_params("seeds: 2", "seeds: 9"),
        lambda: edit_params("other: 1", "other: 2"),
        lambda: Path("masks/replicate_1.bin").write_text("edited"),
        lambda: Path("masks/replicate_10.bin").write_text("another"),
        lambda: Path("nets/a.py").touch(),
    ],
)
def test_the_key_of_a_replicate_does_not_depend_on(edit):
    before = key()
    edit()
    assert key() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda: edit_params("seed: 0", "seed: 1"),
        lambda: edit_params("epochs: 4", "epochs: 5"),
        lambda: edit_params("lr: 0.1", "lr: 0.2"),
        lambda: Path("masks/replicate_0.bin").write_text("edited"),
        lambda: Path("nets/sub/b.py").write_text("edited"),
        lambda: Path("nets/c.py").write_text("more"),
        lambda: Path("data.txt").write_text("edited"),
    ],
)
def test_the_key_of_a_replicate_depends_on(edit):
    before = key()
    edit()
    assert key() != before


def test_the_key_of_a_replicate_depends_on_its_number_and_on_the_environment():
    assert len({key(0), key(1), key(0, environment="a"), key(0, environment="b")}) == 4


def test_the_files_of_a_replicate_are_those_of_its_folder_too():
    for number in (0, 1):
        Path(f"masks/replicate_{number}").mkdir()
        Path(f"masks/replicate_{number}/x.bin").write_text("x")
    before = key(0)
    Path("masks/replicate_1/x.bin").write_text("edited")
    assert key(0) == before
    Path("masks/replicate_0/x.bin").write_text("edited")
    assert key(0) != before


def test_a_folder_that_is_called_like_a_replicate_hides_no_file_of_another():
    """A pruning method may be called replicate_9."""
    file = Path("masks/replicate_9/networks/replicate_0.bin")
    file.parent.mkdir(parents=True)
    file.write_text("network")
    before = key(0)
    file.write_text("edited")
    assert key(0) != before


def leave(name):
    folder = ASIDE / name
    folder.mkdir(parents=True)
    (folder / "file").write_text("left")
    return folder


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_what_dead_stages_left_is_swept_and_what_living_ones_build_is_not():
    dead, living = leave(f"train.{dead_pid()}"), leave(f"prune-l1.{os.getppid()}")
    run()
    assert not dead.exists()
    assert living.exists()


def test_what_a_dead_stage_of_the_same_process_number_left_is_swept():
    """In a container, a stage has the same number at every start."""
    leave(f"train.{os.getpid()}/0")
    run()
    assert published() == NEW


def test_a_file_of_another_program_aside_does_no_harm():
    ASIDE.mkdir(parents=True)
    (ASIDE / ".DS_Store").write_text("")
    run()
    assert published() == NEW


OLD = {"models/dense/old.bin": "old", "reports/result.json": "old"}


def test_the_code_is_that_of_the_module_and_of_the_network(code):
    run()
    with guarded("prune", method="rounds") as stage:
        stage.output("models/rounds").write_text("rounds")
    assert set(code.asked) == {("train", "net.py"), ("prune", "net.py")}


def test_code_that_was_not_recorded_is_refused_at_the_start(code):
    """Python has read the new code by then; DVC would record the result under the old digest."""
    run(text="old")
    code.live = "new"
    with pytest.raises(Fault, match=r"^build/code\.json: the code of train has another digest"):
        run(lambda stage: pytest.fail("it ran"))
    assert published() == OLD


def test_code_that_changes_while_a_stage_runs_is_refused(code):
    run(text="old")
    with pytest.raises(Fault, match=r"^build/code\.json: the code of train has another digest"):
        run(lambda stage: setattr(code, "live", "new"))
    assert published() == OLD
    assert list(ASIDE.iterdir()) == []


def test_code_whose_change_was_recorded_while_a_stage_ran_is_refused_too(code):
    """The result is the old code's; DVC would record it under the new digest."""
    run(text="old")

    def edit(stage):
        code.live = code.recorded = "new"

    with pytest.raises(Fault) as fault:
        run(edit)
    assert "build/code.json: code_train changed while it ran" in str(fault.value)
    assert published() == OLD


def test_the_stage_that_records_the_digests_is_not_held_to_them(code):
    code.live = "new"
    with guarded("code") as stage:
        stage.output("build/code.json").write_text("{}")
    assert code.asked == []


def test_the_key_of_a_replicate_depends_on_the_code(code):
    before = key()
    code.live = code.recorded = "new"
    assert key() != before


def test_of_a_narrowed_file_only_what_the_replicate_reads_is_part_of_its_key():
    plain, before = key(), key(narrowed={"data.txt": "mine"})
    Path("data.txt").write_text("data of another replicate")
    assert key(narrowed={"data.txt": "mine"}) == before
    assert len({plain, before, key(), key(narrowed={"data.txt": "other"})}) == 4


def compute(calls, narrowed=None, during=lambda: None, **more):
    """Run the stage with one replicate, which notes in `calls` that it was computed."""
    with guarded("train") as stage, stage.replicate(0, narrowed, **more) as work:
        if not work.finished:
            calls.append(work.folder)
            work.check()
            during()
            (work.folder / "result").write_text("42")
        build(stage, (work.folder / "result").read_text())


def test_a_finished_replicate_is_taken_again_also_when_there_are_more_seeds():
    calls = []
    compute(calls, {"data.txt": "mine"}, environment="cpu")
    edit_params("seeds: 2", "seeds: 3")
    Path("data.txt").write_text("data of three replicates")
    Path("masks/replicate_2.bin").write_text("new")
    compute(calls, {"data.txt": "mine"}, environment="cpu")
    assert len(calls) == 1
    compute(calls, {"data.txt": "mine"}, environment="gpu")
    assert len(calls) == 2
    assert published()["reports/result.json"] == "42"


def test_a_replicate_whose_input_changes_once_it_is_loaded_is_dropped(tmp_path):
    calls = []
    with pytest.raises(Fault, match=r"data\.txt changed while it ran"):
        compute(calls, during=lambda: Path("data.txt").write_text("edited"))
    assert [path for path in (tmp_path / "state").iterdir() if path.is_dir()] == []
    assert published() == {}
    Path("data.txt").write_text("data")
    compute(calls)
    assert len(calls) == 2


def test_a_replicate_whose_code_changes_is_dropped(code, tmp_path):
    with pytest.raises(Fault, match=r"the code of train has another digest now"):
        compute([], during=lambda: setattr(code, "live", "new"))
    assert [path for path in (tmp_path / "state").iterdir() if path.is_dir()] == []
    assert published() == {}


def test_a_replicate_is_not_computed_on_inputs_that_changed_before_they_were_loaded():
    def begin(stage):
        Path("data.txt").write_text("edited")
        with stage.replicate(0) as work:
            work.check()
            pytest.fail("computed")

    with pytest.raises(Fault, match=r"data\.txt changed while it ran"):
        run(begin)


def killed_at_move(number):
    """Run the stage in a process that is gone before it moves for the so many-th time."""
    child = os.fork()
    if child == 0:
        move, moves = shutil.move, iter(range(10))
        guard.shutil.move = lambda *paths: os._exit(0) if next(moves) == number else move(*paths)
        run()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("number", range(4))
def test_a_kill_between_two_moves_leaves_no_mixture_and_the_next_run_heals(number):
    run(text="old")
    killed_at_move(number)
    assert set(published().values()) in ({"old"}, {"new"}, set())
    assert len(published()) == [2, 1, 0, 1][number]
    run()
    assert published() == NEW
    assert list(ASIDE.iterdir()) == []


def test_outputs_are_on_the_disk_before_they_are_in_place(monkeypatch):
    done = []
    sync, move = guard.sync, shutil.move
    monkeypatch.setattr(guard, "sync", lambda paths: done.extend(sync([p]) or p for p in paths))
    monkeypatch.setattr(shutil, "move", lambda *paths: done.append(Path(paths[1])) or move(*paths))
    run()
    names = [path.as_posix().rpartition("/aside/")[2].split("/", 2)[-1] for path in done]
    assert names[:3] == ["dense", "dense/new.bin", "result.json"]
    assert done[3:5] == [DENSE, RESULT]
    assert set(done[5:]) == {DENSE.parent, RESULT.parent}


def test_outputs_on_another_disk_are_built_there(tmp_path):
    """Where a rename would be a copy, a full disk would leave a part of it."""
    with mounted(tmp_path / "models"):
        with guarded("train") as stage:
            assert stage.output("models/dense").parts[:2] == ("models", ".aside")
            build(stage)
        assert published() == NEW
        assert list(Path("models/.aside").iterdir()) == []
