"""What must hold between the sections of params.yaml, which no section sees alone."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeGuard

from stages.data.root import misplaced
from stages.data.settings import Data
from stages.data.sources.registry import SOURCES
from stages.dense.given import given_weights
from stages.networks.settings import Model
from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, nearest, shown
from stages.pruning.settings import Prune
from stages.retraining.settings import Schedule
from stages.schedules.arm import rewind_epoch
from stages.study.comparisons import faults_of_comparisons
from stages.study.schedules import faults_of_schedules
from stages.study.settings import Study, lengths
from stages.training.settings import Recipe


def check(study: Study) -> None:
    """Raise a Fault with one line for everything that is wrong between the sections."""
    faults = [
        *_names(study),
        *_looks(study),
        *_root(study.data),
        *_code(study.model),
        *_weights(study),
        *_devices(study),
        *_optimizer(study.train.recipe),
        *_augment(study.train.recipe, study.data),
        *_rounds(study.prune),
        *faults_of_schedules(study),
        *faults_of_comparisons(study),
    ]
    if faults:
        raise Fault("\n".join(f"{PARAMS}: {line}" for line in faults))


def _names(study: Study) -> Iterator[str]:
    methods = {**study.prune.methods, **study.prune.iterative}
    schedules = study.retrain.schedules
    compare = study.compare
    for key, name, known in (
        ("prune.method", study.prune.method, methods),
        ("retrain.schedule", study.retrain.schedule, schedules),
        ("compare.baseline", compare.baseline, schedules),
        ("compare.informed", compare.informed, methods),
        ("compare.random", compare.random, methods),
        *((f"compare.path.{i}", name, schedules) for i, name in enumerate(compare.path)),
        *((f"compare.factorial.{i}", name, schedules) for i, name in enumerate(compare.factorial)),
    ):
        if name not in known:
            yield f"{key} is {shown(name)}; {nearest(name, known)}"
    for section in ("latency", "corruptions"):
        for name in getattr(study, section).keys() - study.prune.methods.keys():
            valid = nearest(name, study.prune.methods)
            yield f"{section}.{name}: no method of prune.methods; {valid}"
    if "dense" in methods:
        yield "prune.methods.dense: the name stands for the network before pruning; rename it"


def _looks(study: Study) -> Iterator[str]:
    """Yield where there are fewer replicates than the first look has, or more than the last."""
    looks = study.compare.looks
    if looks and not looks[0] <= study.seeds <= looks[-1]:
        yield (
            f"seeds is {study.seeds}; with compare.looks {list(looks)} it should be from "
            f"{looks[0]} to {looks[-1]}"
        )


def _root(data: Data) -> Iterator[str]:
    if not Path(data.root).is_dir():
        yield f"data.root is {shown(data.root)}; it should be a folder that exists"
        return
    yield from misplaced(Path(data.root))


def _weights(study: Study) -> Iterator[str]:
    """Yield what is wrong with given weights, and which arms need more of them."""
    try:
        given = given_weights(study.train.weights)
    except Fault as fault:
        yield f"{fault}"
        return
    for name, schedule in study.retrain.schedules.items() if given else ():
        if schedule.state == "kept":
            yield (
                f"retrain.schedules.{name}.state is 'kept', but given weights come without the "
                "optimizer's slots; it should be 'fresh'"
            )
            continue
        for epoch in _rewound(schedule, study):
            if given and epoch not in given.checkpoints:
                yield (
                    f"retrain.schedules.{name} rewinds the weights to epoch {epoch}, of which "
                    f"train.weights has none; add epoch_{epoch:04d}.safetensors there, or leave it "
                    "out"
                )


def _rewound(schedule: Schedule, study: Study) -> Iterator[int]:
    """Yield the dense epochs that an arm goes back to; none where that cannot be."""
    with suppress(Fault):  # told by `faults_of_schedules`
        for epochs in lengths(schedule, study):
            epoch = rewind_epoch(schedule.arm(), epochs, study.train.epochs)
            if epoch is not None:
                yield epoch


def _devices(study: Study) -> Iterator[str]:
    devices, batch_size = study.train.devices, study.train.recipe.batch_size
    if batch_size % devices or batch_size < 2 * devices:
        yield (
            f"train.recipe.batch_size is {batch_size}; with train.devices {devices} it should be "
            f"a multiple of {devices}, and {2 * devices} or more"
        )
    if devices > 1 and study.compute.device.startswith("cuda:"):
        yield (
            f"compute.device is {study.compute.device!r}; with train.devices {devices} it should "
            "be auto, cpu or cuda"
        )


def _optimizer(recipe: Recipe) -> Iterator[str]:
    if getattr(recipe.optimizer, "nesterov", False) and not recipe.optimizer.momentum:
        yield "train.recipe.optimizer.momentum is 0; with nesterov: true it should be above 0"


def _augment(recipe: Recipe, data: Data) -> Iterator[str]:
    """Yield what does not fit the images, where their size is known before they are read."""
    form, side = SOURCES[data.source].form, getattr(data, "size", None)
    if form:
        yield from recipe.augment.misfits(form.height, form.width)
    elif side:
        yield from recipe.augment.misfits(side, side)


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
        yield f"model.code is {shown(model.code)}; it should be a Python file of this project"
        return
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        line = f"line {error.lineno} is not valid Python: {error.msg}"
        yield f"model.code is {shown(model.code)}; {line}"
        return
    if model.factory not in _defined(tree):
        known = [node.name for node in tree.body if _is_factory(node)]
        yield f"model.factory is {shown(model.factory)}; {nearest(model.factory, known)}"


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
