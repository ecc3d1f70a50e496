"""A copy of the project that tests run git and DVC in."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from stages.pipeline.params import read_yaml

ROOT = Path(__file__).parents[2]
DEFAULT = "stages/presets/default.yaml"
FOREIGN = ("AFTERPRUNE_", "DVC_", "GIT_", "PYTHON")
RUNNING = re.compile(r"^Running stage '([^']+)'", re.MULTILINE)
RESTORED = re.compile(r"^Stage '([^']+)' is cached", re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """A folder with the project in it, and the environment of the commands run there."""

    folder: Path
    environment: Mapping[str, str] = field(repr=False)

    def run(self, *command: str, code: int = 0, **environment: str) -> str:
        """Run a command to its end and return all it says; an assertion on its exit code."""
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == code, f"{' '.join(command)}:\n{ended.stdout}"
        return ended.stdout

    def dvc(self, *command: str, code: int = 0, **environment: str) -> str:
        """Run a DVC command."""
        return self.run("dvc", *command, code=code, **environment)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own; its output is a pipe."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def commit(self, message: str = "commit") -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", message)

    def copy(self, folder: Path) -> "Project":
        """Return a copy of the folder as it stands, DVC's cache and recovery state included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.environment)

    def clone(self, folder: Path) -> "Project":
        """Return what a colleague has after `git clone`: no cache, no outputs, no state."""
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        return Project(folder, self.environment)

    def params(self) -> dict:
        """Return params.yaml."""
        return read_yaml(self.folder / "params.yaml")

    def set(self, key: str, value: object) -> None:
        """Set a key of params.yaml."""
        tree = self.params()
        *parents, last = key.split(".")
        branch = tree
        for parent in parents:
            branch = branch[parent]
        branch[last] = value
        (self.folder / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))

    def edit(self, path: str, old: str, new: str, count: int | None = None) -> None:
        """Replace a text that a file holds once, or its first `count` places."""
        file = self.folder / path
        text = file.read_text()
        if count is None:
            assert text.count(old) == 1, f"{path} holds {old!r} {text.count(old)} times"
        assert old in text, f"{path} does not hold {old!r}"
        file.write_text(text.replace(old, new, count or 1))

    def register(self, path: str, registry: str, name: str, value: str) -> None:
        """Add an entry to a dict of a file that ends with it."""
        file = self.folder / path
        file.write_text(f"{file.read_text()}\n{registry}[{name!r}] = {value}\n")

    def append(self, path: str, text: str) -> None:
        """Append to a file, or write a new one."""
        with (self.folder / path).open("a") as file:
            file.write(text)

    def replace(self, path: str | Path, content: bytes) -> None:
        """Put another file in the place of one that may be a link to DVC's cache, and read-only."""
        file = self.folder / path
        file.unlink()
        file.write_bytes(content)

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the content of all files below a folder."""
        paths = sorted(path for path in (self.folder / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    def outputs(self) -> dict[str, str]:
        """Return the MD5 that dvc.lock records for every output."""
        stages = read_yaml(self.folder / "dvc.lock")["stages"]
        outs = [out for name, stage in stages.items() if name != "code" for out in stage["outs"]]
        return {out["path"]: out["md5"] for out in outs}


def ran(said: str) -> set[str]:
    """Return the stages whose command DVC says it ran."""
    return set(RUNNING.findall(said))


def restored(said: str) -> set[str]:
    """Return the stages whose outputs DVC says it took from the run-cache."""
    return set(RESTORED.findall(said))


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition; an assertion when it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def environment(folder: Path) -> dict[str, str]:
    """Return this process's environment without its settings, and with DVC's own in `folder`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(folder / "system"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{who}_NAME": "test" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "test@example.com" for who in ("AUTHOR", "COMMITTER")},
    }


def copy_tree(folder: Path) -> None:
    """Copy what git knows or would add of the project, without its results and its tests."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.is_file() and name != "dvc.lock" and not name.startswith(("reports/", "tests/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    shutil.copy(ROOT / DEFAULT, folder / "params.yaml")  # the user may have a study of their own


def shrink(params: dict) -> dict:
    """Return params.yaml for two tiny replicates, one method and two schedules.

    The epoch that the rewound schedule starts from, 1, is none of those that training keeps.
    """
    schedules = params["retrain"]["schedules"]
    methods = params["prune"]["methods"]
    train = {"epochs": 3, "checkpoint_every": 2, "lr": 0.1}
    return {
        **params,
        "seeds": 2,
        "compute": {"device": "cpu", "threads": 1},
        "data": {**params["data"], "train_limit": 300},
        "model": {**params["model"], "options": {"width": 4}},
        "train": {**params["train"], **train, "schedule": {"curve": "step", "milestones": [2]}},
        "prune": {**params["prune"], "method": "l1", "methods": {"l1": methods["l1"]}},
        "retrain": {
            "schedule": "onecycle",
            "epochs": 2,
            "schedules": {name: schedules[name] for name in ("weight_rewind", "onecycle")},
        },
        "compare": {"baseline": "weight_rewind", "informed": "l1", "random": "l1"},
        "latency": {},
        "corruptions": {},
    }
