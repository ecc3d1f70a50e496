"""What `dvc repro` runs, several stages at once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.commands.blame import settings_blamed
from stages.commands.moved import moved
from stages.commands.stale import remove_stale_results
from stages.pipeline.command import run
from stages.pipeline.digests import CODE, code_digests
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json
from stages.pipeline.made import check_made
from stages.pipeline.params import lookup, read_yaml
from stages.runner.command import application
from stages.runner.dvc.forecast import Future


def future() -> Future:
    """Return what `explain` knows of the outputs of `code` and `validate`."""
    from stages.commands import explain  # a third of a second, for --dry alone

    return explain.future()


@contextmanager
def ready() -> Iterator[None]:
    """Be ready for a run: name what is wrong with params.yaml where DVC would not.

    Heal what `dvc commit -f` recorded of code, and refuse what it recorded of settings: where it
    recorded the old digests for new code, DVC has nothing to run. After it, say whether another
    environment moved the report.
    """
    with settings_blamed():
        check_made()
        if CODE.exists() and _edited_since(CODE.stat().st_mtime):
            if read_json(CODE) != code_digests(str(lookup(read_yaml(), "model.code"))):
                _digest()
            else:
                CODE.touch()
        remove_stale_results()
        yield
        if line := moved():
            print(line)


def _digest() -> None:
    asked = [sys.executable, "-m", "dvc", "repro", "--quiet", "--force", "--single-item", "code"]
    done = subprocess.run(asked, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Fault(done.stderr.strip())


def _edited_since(moment: float) -> bool:
    """Whether a file of code is newer: to digest all of it takes half a second."""
    return any(path.stat().st_mtime > moment for path in Path("stages").rglob("*.py"))


app = application(future, ready, settings_blamed)

if __name__ == "__main__":
    run(app)
