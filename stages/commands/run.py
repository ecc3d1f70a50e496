"""What `dvc repro` runs, several stages at once."""

from stages.pipeline.command import faults_in_one_line
from stages.runner.command import application
from stages.runner.dvc.forecast import Future


def future() -> Future:
    """Return what `explain` knows of the outputs of `code` and `validate`."""
    from stages.commands import explain  # a third of a second, for --dry alone

    return explain.future()


app = application(future)

if __name__ == "__main__":
    with faults_in_one_line():
        app()
