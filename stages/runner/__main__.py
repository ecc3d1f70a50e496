"""`python -m stages.runner`: the runner without the rest of the project's commands."""

import sys

from stages.pipeline.fault import Fault
from stages.runner.command import application

if __name__ == "__main__":
    try:
        application()(prog_name="python -m stages.runner")
    except Fault as fault:
        sys.exit(f"{fault}")
