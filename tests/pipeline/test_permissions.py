"""Who may read what a stage publishes: whoever the umask lets, as for any other file."""

import os
import shutil
import stat
import sys

UNDER = "import os, sys; os.umask(int(sys.argv[1], 8)); os.execvp(sys.argv[2], sys.argv[2:])"


def modes(project, *folders):
    """Return the permissions of all files below some folders, each once."""
    files = [p for folder in folders for p in (project.folder / folder).rglob("*") if p.is_file()]
    assert files
    return {oct(stat.S_IMODE(path.stat().st_mode)) for path in files}


def test_all_that_a_study_publishes_is_as_the_umask_says(study):
    umask = os.umask(0)
    os.umask(umask)
    assert modes(study.project, "reports") == {oct(0o666 & ~umask)}


def test_what_is_linked_to_the_cache_is_as_dvc_keeps_it(study):
    assert modes(study.project, "models", "data/prepared", "build/made") == {oct(0o444)}


def test_a_narrower_umask_is_obeyed(project):
    command = "dvc", "repro", "--force", "--single-item", "evaluate_dense"
    project.run(sys.executable, "-c", UNDER, "077", *command)
    assert stat.S_IMODE((project.folder / "reports" / "dense.json").stat().st_mode) == 0o600


def test_under_a_narrower_umask_no_one_else_reaches_what_is_linked(project):
    """A link has the permissions that the cache's file has; the folders have the umask's."""
    shutil.rmtree(project.folder / "models" / "checkpoints")
    command = "dvc", "repro", "--force", "--single-item", "checkpoint"
    project.run(sys.executable, "-c", UNDER, "077", *command)
    mode = (project.folder / "models" / "checkpoints").stat().st_mode
    assert stat.S_IMODE(mode) == 0o700
