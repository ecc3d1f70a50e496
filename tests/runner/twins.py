"""Two repositories of the same files: one for plain DVC, one for the runner."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.project import ROOT, Project, environment

RUNNER = (sys.executable, "-m", "stages.runner")


@dataclass(frozen=True)
class Twins:
    """`plain` is run by `dvc repro`, `parallel` by the runner."""

    plain: Project
    parallel: Project

    def both(self, change):
        """Do the same to both."""
        for project in (self.plain, self.parallel):
            change(project)

    def write(self, path, text):
        self.both(lambda project: write(project, path, text))

    def run(self, *words, code=0):
        """Run `dvc repro` in one and the runner in the other; return what the runner says."""
        self.plain.dvc("repro", *words, code=255 if code else 0)
        return self.parallel.run(*RUNNER, *words, "--workers", "3", code=code)

    def assert_same(self):
        """Assert that DVC cannot tell the two apart."""
        self.assert_same_results()
        assert ignored(self.plain) == ignored(self.parallel)
        changes = ("git", "status", "--short")
        assert self.plain.run(*changes) == self.parallel.run(*changes)

    def assert_same_results(self):
        """Assert that lock files, cache, run-cache and status are the same."""
        for lock in (path.relative_to(self.plain.folder) for path in locks(self.plain)):
            parallel = self.parallel.folder / lock
            assert parallel.read_text() == (self.plain.folder / lock).read_text()
        assert contents(self.plain, ".dvc/cache") == contents(self.parallel, ".dvc/cache")
        assert status(self.plain) == status(self.parallel)


def make(folder: Path, files: Mapping[str, str]) -> Project:
    """Return a new repository with these files, committed."""
    variables = {**environment(folder.parent), "PYTHONPATH": str(ROOT)}
    project = Project(folder, variables)
    folder.mkdir()
    project.run("git", "init", "--quiet")
    project.dvc("init", "--quiet")
    project.dvc("config", "core.autostage", "true")
    for path, text in files.items():
        write(project, path, text)
    project.commit()
    return project


def twins(folder: Path, files: Mapping[str, str]) -> Twins:
    return Twins(make(folder / "plain", files), make(folder / "parallel", files))


def write(project, path, text):
    file = project.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def runner(project, *words, code=0):
    return project.run(*RUNNER, *words, code=code)


def spawn(project, *words) -> subprocess.Popen[str]:
    return project.start(*RUNNER, *words)


def locks(project):
    return [path for path in project.folder.rglob("dvc.lock") if ".dvc" not in path.parts]


def entries(project, lock="dvc.lock"):
    import yaml

    file = project.folder / lock
    return yaml.safe_load(file.read_text())["stages"] if file.exists() else {}


def contents(project, folder):
    return {path: data for path, data in project.files(folder).items() if "/tmp" not in path}


def ignored(project):
    files = [path for path in project.folder.rglob(".gitignore") if ".dvc" not in path.parts]
    return {str(f.relative_to(project.folder)): set(f.read_text().split()) for f in files}


def status(project):
    return project.dvc("status")


UP_TO_DATE = "Data and pipelines are up to date.\n"
