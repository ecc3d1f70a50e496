"""What `dvc repro` runs, several stages at once."""

from stages.commands.explain import future
from stages.pipeline.command import faults_in_one_line
from stages.runner.command import application

app = application(future)

if __name__ == "__main__":
    with faults_in_one_line():
        app()
