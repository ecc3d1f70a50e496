"""`python -m stages.runner`: the runner without the rest of the project's commands."""

from stages.pipeline.command import run
from stages.runner.command import application

if __name__ == "__main__":
    run(application(), name="python -m stages.runner")
