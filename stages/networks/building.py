"""Networks by file and factory name: what `model:` of params.yaml stands for."""

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from stages.networks.blame import blamed
from stages.pipeline.fault import Fault
from stages.pipeline.files import is_inside
from stages.pipeline.params import shown

PACKAGE = PurePosixPath("stages/models")
STAGES = Path(__file__).parents[1]


@dataclass(frozen=True)
class Spec:
    """What builds a network: a Python file of the project, a function in it, and its arguments.

    `factory(num_classes, in_channels, **options)` returns the nn.Module. `asdict` makes it JSON.
    """

    code: str
    factory: str
    options: Mapping[str, Any]
    num_classes: int
    in_channels: int


def build(spec: Spec, seed: int | None = None) -> nn.Module:
    """Build the network; a seed fixes its weights, and torch's CPU generator stays as it was.

    Raises a Fault for a missing file or factory, for whatever the file raises and for options that
    the factory refuses.
    """
    factory = _factory(spec)
    arguments = {"num_classes": spec.num_classes, "in_channels": spec.in_channels, **spec.options}
    own = [str(each) for each in inspect.signature(factory).parameters.values()]
    refusing = f"{spec.factory}({', '.join(own)}) refuses {shown(dict(spec.options))}"
    with blamed(spec.code, refusing, "see model.options"), seeded(seed):
        network = factory(**arguments)
    if not isinstance(network, nn.Module):
        raise Fault(f"model.factory: {spec.factory} of {spec.code} returns no nn.Module")
    for name, parameter in network.named_parameters():
        if is_lazy(parameter):
            raise Fault(
                f"model.factory: {spec.factory} of {spec.code} returns a lazy {name}; "
                "give its layer the number of inputs"
            )
        if not parameter.numel():
            raise Fault(
                f"model.options: {spec.factory} of {spec.code} with {shown(dict(spec.options))} "
                f"leaves {name} without weights"
            )
    return network


@torch.no_grad()
def check_output(network: nn.Module, spec: Spec, image: Tensor) -> None:
    """Raise a Fault where a network's output for an image [C, H, W] is not a number a class.

    The network stays as it was, and so does torch's CPU generator.
    """
    training = network.training
    images = image.float()[None]
    remedy = f"it should run on images {list(images.shape)}"
    with seeded(None), blamed(spec.code, "the network fails", remedy):
        output = network.eval()(images)
    network.train(training)
    shape = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if shape != [1, spec.num_classes]:
        raise Fault(
            f"model.factory: {spec.factory} of {spec.code} returns {shape} for one image; "
            f"it should be [1, {spec.num_classes}], a number for each class of the data"
        )


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Seed torch's CPU generator (None: leave it as it is), and restore its state afterwards."""
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield


def load_code(code: str) -> ModuleType:
    """Import a Python file of the project by its path relative to the current folder."""
    path = PurePosixPath(os.path.normpath(code))
    if path.is_absolute() or ".." in path.parts:
        raise Fault(f"model.code: {code} is outside the project; give a path relative to it")
    packaged = path.is_relative_to(PACKAGE)
    root = STAGES if packaged else Path.cwd()
    file = STAGES / path.relative_to(PACKAGE.parent) if packaged else Path(path)
    if path.suffix != ".py" or not os.path.isfile(file):  # noqa: PTH113
        raise Fault(f"model.code: {code}: no such Python file")
    if not is_inside(file, root):
        raise Fault(f"model.code: {code} is a link to {file.resolve()}, outside the project")
    if packaged:
        return importlib.import_module(".".join(path.with_suffix("").parts))
    return _import(file.resolve())


def _import(file: Path) -> ModuleType:
    """Import a file once per path and content, under a name no other module has."""
    digest = hashlib.sha256(bytes(file) + file.read_bytes()).hexdigest()[:16]
    name = f"model_code_{file.stem}_{digest}"
    if name not in sys.modules:
        location = importlib.util.spec_from_file_location(name, file)
        assert location is not None
        assert location.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(location)
        try:
            location.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _factory(spec: Spec) -> Callable[..., Any]:
    with blamed(spec.code, "importing it fails", "it should import anywhere, and build nothing"):
        module = load_code(spec.code)
    names = [name for name, value in vars(module).items() if _is_factory(value)]
    if spec.factory in names:
        factory: Callable[..., Any] = getattr(module, spec.factory)
        return factory
    near = get_close_matches(spec.factory, names, 1, cutoff=0)
    hint = f"did you mean {near[0]}?" if near else "it holds no function with `num_classes`"
    raise Fault(f"model.factory: {spec.code} has no factory {spec.factory!r}; {hint}")


def _is_factory(value: object) -> bool:
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return False
    try:
        parameters = inspect.signature(value).parameters
    except ValueError:
        return False
    return {"num_classes", "in_channels"} <= parameters.keys()
