"""The whole of params.yaml, and what must hold between its sections."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeGuard

from pydantic import Field

from stages.fault import Fault
from stages.params.compare import Compare
from stages.params.compute import Compute
from stages.params.data import DATA, Data
from stages.params.evaluate import Evaluate
from stages.params.load import PARAMS, nearest
from stages.params.model import Model
from stages.params.prune import Prune
from stages.params.retrain import Retrain
from stages.params.schedules import Schedule
from stages.params.section import Section
from stages.params.train import Train
from stages.schedules.arm import rewind_epoch

NOMINAL_STEPS = 10


class Study(Section):
    """params.yaml: replicate i of `seeds` has the seed `seed + i`."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    seeds: Annotated[int, Field(ge=1)]
    compute: Compute
    data: DATA
    model: Model
    train: Train
    prune: Prune
    retrain: Retrain
    evaluate: Evaluate
    compare: Compare


def check(study: Study) -> None:
    """Raise a Fault with one line per fault that no section sees alone."""
    faults = [
        *_names(study),
        *_root(study.data),
        *_code(study.model),
        *_rounds(study.prune),
        *_curves(study),
    ]
    if faults:
        raise Fault("\n".join(f"{PARAMS}: {line}" for line in faults))


def rewind_epochs(study: Study) -> list[int]:
    """Return the dense epochs E - T that rewinding arms start from, sorted."""
    dense = study.train.epochs
    arms = study.retrain.schedules.values()
    epochs = (rewind_epoch(a.arm(), nominal_epochs(a, study), dense) for a in arms)
    return sorted({epoch for epoch in epochs if epoch is not None})


def nominal_epochs(schedule: Schedule, study: Study) -> int:
    """Return an arm's budget as far as it is known before pruning."""
    return schedule.budget(study.retrain.epochs, study.train.epochs, macs_ratio=1.0)


def _names(study: Study) -> Iterator[str]:
    methods = {**study.prune.methods, **study.prune.iterative}
    schedules = study.retrain.schedules
    compare = study.compare
    for key, name, known in (
        ("prune.method", study.prune.method, methods),
        ("retrain.schedule", study.retrain.schedule, schedules),
        ("compare.baseline", compare.baseline, schedules),
        ("compare.careful", compare.careful, methods),
        ("compare.random", compare.random, methods),
        *((f"compare.path.{i}", name, schedules) for i, name in enumerate(compare.path)),
    ):
        if name not in known:
            yield f"{key} is {name!r}; {nearest(name, known)}"
    if len(compare.path) == 1 or len(set(compare.path)) < len(compare.path):
        yield f"compare.path is {list(compare.path)}; it should hold two or more, each once"
    if "dense" in methods:
        yield "prune.methods.dense: the name stands for the network before pruning; rename it"


def _root(data: Data) -> Iterator[str]:
    if not Path(data.root).exists():
        yield f"data.root is {data.root!r}; it should be a folder that exists"


def _rounds(prune: Prune) -> Iterator[str]:
    for name, entry in prune.iterative.items():
        if name in prune.methods:
            yield f"prune.iterative.{name}: prune.methods has that name too; rename one"
        try:
            entry.methods()
        except Fault as fault:
            yield f"prune.iterative.{name}: {fault}"


def _code(model: Model) -> Iterator[str]:
    path = Path(model.code)
    if not path.is_file():
        yield f"model.code is {model.code!r}; it should be a Python file of this project"
        return
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        yield f"model.code is {model.code!r}; line {error.lineno} is no Python: {error.msg}"
        return
    if model.factory not in _defined(tree):
        known = [node.name for node in tree.body if _is_factory(node)]
        yield f"model.factory is {model.factory!r}; {nearest(model.factory, known)}"


def _is_factory(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef) and any(
        argument.arg == "num_classes" for argument in node.args.args
    )


def _defined(module: ast.Module) -> Iterator[str]:
    """Yield the public names that a module defines or imports from another."""
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if name[0] != "_":
                yield name
            case ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name for alias in aliases)
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name


def _curves(study: Study) -> Iterator[str]:
    """Draw every curve over a few steps an epoch, and yield what keeps one from being drawn."""
    train = study.train
    last = max(train.schedule.arm().options.get("milestones", ()), default=0)
    if last >= train.epochs:
        yield f"train.schedule.milestones has {last}; the dense run ends at epoch {train.epochs}"
    try:
        dense = train.curve(NOMINAL_STEPS)
    except Fault as fault:
        yield f"train.schedule: {fault}"
        return
    for name, schedule in study.retrain.schedules.items():
        arm = schedule.arm()
        if schedule.epochs == "dense_macs":
            if arm.start == "rewound" or arm.curve == "replay":
                yield (
                    f"retrain.schedules.{name}.epochs is 'dense_macs', longer than the dense run; "
                    "allowed with curve: stretch"
                )
                continue
            if study.prune.iterative:
                yield (
                    f"retrain.schedules.{name}.epochs is 'dense_macs'; iterative methods know "
                    "their MACs after the last round alone, give a number"
                )
        epochs = nominal_epochs(schedule, study)
        last = max(arm.options.get("milestones", ()), default=0)
        if last >= epochs:
            yield f"retrain.schedules.{name}.milestones has {last}; the arm ends at epoch {epochs}"
        try:
            rewind_epoch(arm, epochs, train.epochs)
            arm.curves(epochs, NOMINAL_STEPS, dense)
        except Fault as fault:
            yield f"retrain.schedules.{name}: {fault}"
