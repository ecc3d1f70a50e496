import subprocess

import pytest
import yaml
from dvc.repo import Repo

from tests.benchmarks import matrix
from tests.runner.twins import make

SMALL = (2, 1, 3)


def parsed(folder, own_keys):
    """Return the cells as DVC reads them."""
    project = make(folder / "repository", matrix.files(SMALL, own_keys=own_keys))
    with Repo(str(project.folder)) as repo:
        return [stage for stage in repo.index.stages if stage.name != "source"]


@pytest.mark.parametrize("own_keys", [False, True])
def test_dvc_reads_a_stage_for_each_cell(tmp_path, own_keys):
    stages = parsed(tmp_path, own_keys)
    names = [f"cell@{cell}" for cell in matrix.cells(SMALL)]
    assert sorted(stage.name for stage in stages) == sorted(names)
    assert len({out.fs_path for stage in stages for out in stage.outs}) == 6
    deps = [[dep.def_path for dep in stage.deps] for stage in stages]
    assert deps == [["source.txt", "params.yaml"]] * 6
    keys = {key for stage in stages for dep in stage.deps for key in getattr(dep, "params", ())}
    assert keys == ({f"keys.{cell}" for cell in matrix.cells(SMALL)} if own_keys else {"keys.all"})


@pytest.mark.parametrize("number", matrix.AXES)
def test_there_are_as_many_cells_as_said_and_a_short_params_file(number):
    lengths = matrix.AXES[number]
    assert len(set(matrix.cells(lengths))) == number
    shared, own = (matrix.files(lengths, own_keys=each)["params.yaml"] for each in (False, True))
    assert shared.count("\n") < 100
    assert len(yaml.safe_load(own)["keys"]) == number


def test_the_script_writes_what_the_stages_do(tmp_path):
    (tmp_path / "cells").mkdir()
    subprocess.run(["sh", "-c", matrix.script(SMALL)], cwd=tmp_path, check=True)
    written = {path.name: path.read_text() for path in (tmp_path / "cells").iterdir()}
    assert written == {f"{cell}.txt": f"source\n{cell}\n" for cell in matrix.cells(SMALL)}
