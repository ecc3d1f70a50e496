"""What `dvc repro` runs, several stages at once."""

from stages.pipeline.command import faults_in_one_line
from stages.runner import command

app = command.app
main = command.main

if __name__ == "__main__":
    with faults_in_one_line():
        app()
