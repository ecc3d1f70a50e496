"""The columns of `dvc exp show` that docs/daily-use.md asks for."""

HEADLINE = ("--drop", ".*/.*|.*-.*")
ARMS = ("--drop", ".*", "--keep", "Experiment|l1-|seeds")


def show(project, *columns):
    """Return the table of experiments as a terminal of 160 columns shows it."""
    return project.dvc("exp", "show", "--no-pager", "--only-changed", *columns, COLUMNS="160")
