"""What `dvc repro` runs, several stages at once."""

from stages.commands.blame import settings_blamed
from stages.pipeline.command import run
from stages.runner.command import application
from stages.runner.dvc.forecast import Future


def future() -> Future:
    """Return what `explain` knows of the outputs of `code` and `validate`."""
    from stages.commands import explain  # a third of a second, for --dry alone

    return explain.future()


app = application(future, settings_blamed)

if __name__ == "__main__":
    run(app)
