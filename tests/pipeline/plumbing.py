"""What stands in for the plumbing of stages/pipeline: it only passes names and paths."""

COMMAND = """
from contextlib import contextmanager
from typing import Annotated
import typer
MethodName = Annotated[str, typer.Option("--method")]
ScheduleName = Annotated[str, typer.Option("--schedule")]
@contextmanager
def command_line(app): yield
"""
GUARD = """
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from stages.pipeline.fault import Fault
from stages.pipeline.manifest import Manifest
from stages.pipeline.params import lookup, parse, read_yaml
from stages.pipeline.recovery import Work
class Stage:
    def __init__(self, module):
        keys = read_yaml("dvc.yaml")["stages"][module].get("params", ())
        names = [key for key in keys if isinstance(key, str) and "$" not in key]
        self.params = {key: lookup(read_yaml(), key) for key in names}
    def declares(self, key):
        return key.split(".")[-1] in lookup(read_yaml(), key.rpartition(".")[0])
    def read(self, key, kind):
        return parse(kind, lookup(read_yaml(), key), key)
    def output(self, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return Path(path)
    @contextmanager
    def replicate(self, number, narrowed=None, **more):
        with TemporaryDirectory() as folder:
            yield Work(Manifest(Path(folder)), False, lambda: None)
@contextmanager
def guarded(module, **items):
    yield Stage(module)
"""
CORES = """
class Cores: ...
def shared(): ...
def side_by_side(): ...
"""
WATCH = """
from contextlib import nullcontext as leaving_when_told
GRACE = 1
def end_with_parent(parent): ...
"""
MACHINE = """
from contextlib import nullcontext as machine_faults
MAKE_ROOM = ""
"""
STUB = {
    "stages/pipeline/command.py": COMMAND,
    "stages/pipeline/cores.py": CORES,
    "stages/pipeline/guard.py": GUARD,
    "stages/pipeline/fault.py": "class Fault(Exception): ...\n",
    "stages/pipeline/watch.py": WATCH,
    "stages/pipeline/machine.py": MACHINE,
    "stages/pipeline/digests.py": "def check_codes(model_code): ...\n",
}


def commands(params):
    """Yield the modules and options of every stage but `code`, in an order that runs."""
    first = ("validate", "prepare", "rehearse", "dense_curve", "train", "checkpoint")
    for module in (*first, "evaluate_dense"):
        yield (f"stages.{module}",)
    for method in params["prune"]["methods"]:
        for module in ("prune", "plan", "evaluate_pruned"):
            yield (f"stages.{module}", "--method", method)
        for schedule in params["retrain"]["schedules"]:
            for module in ("retrain", "evaluate"):
                yield (f"stages.{module}", "--method", method, "--schedule", schedule)
    yield ("stages.headline",)
    yield ("stages.compare",)
