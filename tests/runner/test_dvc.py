"""What the runner takes for granted of DVC: one test for each of its internals."""

import ast
import json
import logging
import os
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from dvc.dvcfile import PROJECT_FILE, ProjectFile
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import _enforce_cmd_list, _make_cmd, get_executable, prepare_kwargs

from stages.pipeline.fault import Fault
from stages.runner.dvc.locks import Locks
from stages.runner.dvc.pipeline import BARS, EMPTY, Pipeline
from tests.runner.pipelines import FAN, SHAPES

ROOT = Path(__file__).parents[2] / "stages/runner"


@pytest.fixture
def inside(repository, monkeypatch):
    """Return a function that makes a repository and enters it."""

    def enter(files):
        project = repository(files)
        for key in [key for key in os.environ if key.startswith("DVC_")]:
            monkeypatch.delenv(key)
        for key, value in project.environment.items():
            if key.startswith(("DVC_", "GIT_")):
                monkeypatch.setenv(key, value)
        monkeypatch.chdir(project.folder)
        return project

    return enter


@pytest.fixture
def repo(inside):
    inside(FAN)
    repo = Repo()
    with lock_repo(repo):
        yield repo


def stage(repo, name):
    return next(iter(repo.stage.collect(name)))


def test_one_package_alone_imports_dvc():
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        uses = any(name and name.split(".")[0] == "dvc" for name in names)
        assert not uses or path.parent.name == "dvc", path


def test_the_plan_has_every_stage_behind_those_it_needs_and_the_graph_points_at_these(repo):
    graph = repo.index.graph
    plan = plan_repro(get_active_graph(graph), collect_stages(repo, [PROJECT_FILE]))
    names = [each.addressing for each in plan]
    assert names == ["zero", "part@a", "part@b", "part@c", "last"]
    assert {each.addressing for each in graph.successors(plan[-1])} == {*names[1:4]}


def test_a_frozen_stage_is_cut_off_and_keeps_its_turn(inside):
    inside(SHAPES)
    pipeline = Pipeline()
    assert pipeline.needs["ice"] == set()
    assert "bounded" in pipeline.after["ice"] or "ice" in pipeline.after["bounded"]
    assert pipeline.needs["bounded"] == {"limits"}


def test_the_lock_is_for_one_process_and_forgets_what_was_read(inside):
    inside(FAN)
    first, second = Repo(), Repo()
    index = first.index
    with lock_repo(first), pytest.raises(LockError), lock_repo(second):
        pass
    assert first.index is not index


def test_waiting_for_the_lock_ends_when_told_to_stop(inside):
    inside(FAN)
    other, stopped = Repo(), []
    pipeline = Pipeline(stopped=lambda: bool(stopped))
    stopped.append(True)
    with lock_repo(other), pytest.raises(Fault, match="Unable to acquire lock"), pipeline.held():
        pass


def test_a_command_is_what_dvc_would_execute(inside, monkeypatch):
    project = inside(SHAPES)
    monkeypatch.setenv("SHELL", "/bin/bash")
    command = Pipeline().command("loop@x")
    shell = ["/bin/bash", "--noprofile", "--norc", "-c"]
    assert command.calls == [
        [*shell, "echo x > x.txt"],
        [*shell, "echo more >> x.txt\necho again >> x.txt\n"],
    ]
    assert command.folder == str(project.folder)
    assert command.environment["DVC_ROOT"] == str(project.folder)
    assert command.environment["DVC_STAGE"] == "loop@x"
    assert Pipeline().command("folder").folder == str(project.folder / "inside")


def test_outputs_that_dvc_removes_before_a_run_are_known(inside):
    project = inside(SHAPES)
    assert Pipeline().command("loop@x").outputs == []  # persist
    written = [str(project.folder / "inside" / name) for name in ("out", "curve.csv")]
    assert Pipeline().command("folder").outputs == written


def test_meta_and_parameters_of_a_stage(inside):
    inside(
        {**FAN, "dvc.yaml": FAN["dvc.yaml"].replace("  zero:", "  zero:\n    meta: {a: [n, 2]}")}
    )
    pipeline = Pipeline()
    assert pipeline.meta("zero") == {"a": ["n", 2]}
    assert pipeline.meta("last") is None
    assert [pipeline.parameter("zero", key) for key in ("n", "items.b", "none", "n.x")] == [
        1,
        2,
        None,
        None,
    ]


def test_the_parts_of_a_command(repo, monkeypatch):
    monkeypatch.delenv("SHELL", raising=False)
    assert get_executable() == "/bin/sh"
    assert _make_cmd("/bin/sh", "true") == ["/bin/sh", "-c", "true"]
    assert _enforce_cmd_list("a\nb") == ["a", "b"]
    assert _enforce_cmd_list(["a\nb"]) == ["a\nb"]
    assert {"cwd", "env"} <= prepare_kwargs(stage(repo, "zero")).keys()


def test_the_run_cache_is_asked_before_dependencies_are_saved(repo):
    zero = stage(repo, "zero")
    assert zero.changed()
    with pytest.raises(RunCacheNotFoundError):
        repo.stage_cache.restore(zero)
    last = stage(repo, "last")
    assert [dep.hash_info.value for dep in last.deps] == [None, None, None]


def test_saving_dependencies_gives_hashes_that_compare_by_value(inside):
    project = inside({**FAN, "zero.txt": ""})
    repo = Repo()
    with lock_repo(repo):
        part = stage(repo, "part@a")
        (project.folder / "zero.txt").write_text("one")
        part.save_deps()
        first = [dep.hash_info for dep in part.deps]
        part.save_deps()
        assert [dep.hash_info for dep in part.deps] == first
        (project.folder / "zero.txt").write_text("two")
        part.save_deps()
        assert [dep.hash_info for dep in part.deps] != first


def test_saving_writes_the_run_cache_and_committing_the_cache_but_no_lock_file(inside):
    project = inside(FAN)
    repo = Repo()
    with lock_repo(repo):
        part = stage(repo, "part@a")
        for path in ("zero.txt", "parts/a.txt"):
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text("text")
        part.save(run_cache=True)
        assert len(project.files(".dvc/cache/runs")) == 1
        part.commit()
        assert len(project.files(".dvc/cache/files")) == 1
        assert not Path("dvc.lock").exists()
        part.dvcfile.dump_stages([part], update_pipeline=False)
        assert [*yaml.safe_load(Path("dvc.lock").read_text())["stages"]] == ["part@a"]


def test_new_entries_are_appended_to_a_lock_file(inside):
    project = inside(FAN)
    project.dvc("repro", "part@b")
    pipeline = Pipeline(["part@a"])
    assert isinstance(pipeline._plan[0].dvcfile, ProjectFile)
    [(lock, names)] = pipeline._order.values()
    assert lock == str(project.folder / "dvc.lock")
    assert names == ["zero", "part@b", "zero", "part@a"]


def rwlock():
    return json.loads(Path(".dvc/tmp/rwlock").read_text())


def test_the_rwlock_names_this_process_as_dvc_does_and_counts_readers(repo):
    locks = Locks(repo)
    first, second = stage(repo, "part@a"), stage(repo, "part@b")
    locks.take("first", first)
    locks.take("second", second)
    owner = {"pid": os.getpid(), "cmd": " ".join(sys.argv)}
    zero = str(Path("zero.txt").absolute())
    assert rwlock()["read"][zero] == [owner]
    assert set(rwlock()["write"].values().__iter__().__next__()) == {"pid", "cmd"}
    locks.release(["first"])
    assert rwlock()["read"][zero] == [owner]
    locks.release()
    assert zero not in rwlock().get("read", {})
    assert not rwlock().get("write")


def test_dvcs_own_locks_of_a_stage_agree_with_those_held(repo):
    locks = Locks(repo)
    part = stage(repo, "part@a")
    locks.take("part", part)
    held = rwlock()
    assert part.changed()
    part.remove_outs(ignore_remove=False, force=False)
    assert rwlock() == held


def test_another_process_keeps_a_stage_out(repo):
    part = stage(repo, "part@a")
    owner = {"pid": os.getppid(), "cmd": "another"}
    path = Path(".dvc/tmp/rwlock")
    path.write_text(json.dumps({"write": {str(Path("zero.txt").absolute()): owner}}))
    with pytest.raises(LockError, match="is busy"):
        Locks(repo).take("part", part)
    path.write_text(json.dumps({"read": {str(Path("parts/a.txt").absolute()): [owner]}}))
    with pytest.raises(LockError, match="is busy"):
        Locks(repo).take("part", part)
    Locks(repo).take("sibling", stage(repo, "part@b"))


def test_files_to_add_to_git_wait_for_the_context(repo):
    repo.scm_context.ignore(str(Path("zero.txt").absolute()))
    assert Path(".gitignore").read_text() == "/zero.txt\n"
    with repo.scm_context(quiet=True):
        pass
    assert repo.scm_context.ignored_paths == []
    assert repo.scm_context.files_to_track == set()


def test_progress_bars_show_at_the_level_of_their_loggers(inside, monkeypatch):
    inside(FAN)
    Pipeline()
    monkeypatch.setenv("DVC_IGNORE_ISATTY", "1")
    for name in BARS:
        module = import_module(name)
        assert module.logger.name == name
        assert module.Tqdm(total=1).disable
        module.logger.setLevel("ERROR")
        assert not module.Tqdm(total=1).disable


def test_of_dvcs_warnings_that_of_an_empty_folder_alone_is_left_out(inside, caplog, monkeypatch):
    inside({"dvc.yaml": "stages: {none: {cmd: mkdir -p none, outs: [none]}}"})
    Path("none").mkdir()
    [out] = stage(Repo(), "none").outs
    logger = logging.getLogger("dvc.output")
    monkeypatch.setattr(logger, "filters", [])
    out.save()
    assert [record.msg for record in caplog.records] == [EMPTY]
    Pipeline()
    out.save()
    assert [record.msg for record in caplog.records] == [EMPTY]
    Path("none").rmdir()
    Path("none").touch()
    out.save()
    logger.warning("another")
    assert [record.msg for record in caplog.records] == [EMPTY, EMPTY, "another"]
