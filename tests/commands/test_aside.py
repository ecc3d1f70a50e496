"""The copy of the project that `recommend --search` tries things in, and what it leaves behind."""

import subprocess
from pathlib import Path

import pytest

from stages.commands.aside import project_aside

PARAMS = "{{model: {{code: net.py}}, data: {{root: {root}}}, train: {{weights: none}}}}"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with DVC and no stages, of images below data and beside it."""
    folder = tmp_path / "a/project"
    for part in ("stages", "data/raw", "data/weights", "../images", "../../images"):
        (folder / part).mkdir(parents=True)
        (folder / part / "one.png").write_text(part)
    (folder / "none").touch()
    (folder / "net.py").touch()
    monkeypatch.chdir(folder)
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True)
    return folder


@pytest.mark.parametrize("root", ["data/raw", "../images", "../../images", "data/../../images"])
def test_images_are_found_under_the_same_path_and_no_link_is_left(project, root):
    Path("params.yaml").write_text(PARAMS.format(root=root))
    before = sorted(Path(".dvc/tmp").rglob("*"))
    with project_aside():
        assert Path.cwd() != project
        assert Path(root, "one.png").read_text() == (project / root / "one.png").read_text()
        assert Path("params.yaml").read_text() == (project / "params.yaml").read_text()
    left = {path.name for path in set(Path(".dvc/tmp").rglob("*")) - set(before)}
    assert left <= {"exps", "search.lock"}
    assert (project / root / "one.png").is_file()


def test_a_path_through_the_projects_own_folder_leads_to_the_copy(project):
    Path("params.yaml").write_text(PARAMS.format(root="../project/data/raw"))
    with project_aside():
        assert Path("../project/net.py").resolve() == Path("net.py").resolve()
        assert Path("../project/data/raw/one.png").is_file()
