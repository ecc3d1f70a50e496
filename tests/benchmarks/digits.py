"""The study of params.yaml as a workload."""

from pathlib import Path
from tempfile import TemporaryDirectory

from stages.data.images import load
from stages.models.registry import Spec
from stages.params.data import DATA
from stages.params.load import lookup, parse, read_yaml
from stages.params.model import Model
from stages.params.recipe import Recipe
from stages.prepare import DOWNLOADS, prepare
from tests.benchmarks.workload import Workload


def study() -> Workload:
    """Return the network, images and recipe of params.yaml, and its epochs of retraining."""
    tree = read_yaml()
    with TemporaryDirectory() as folder:
        prepare(parse(DATA, lookup(tree, "data"), "data"), DOWNLOADS, Path(folder))
        data = load(folder)
    model: Model = parse(Model, lookup(tree, "model"), "model")
    spec = Spec(model.code, model.factory, model.options, data.classes, data.shape[0])
    recipe: Recipe = parse(Recipe, lookup(tree, "train.recipe"), "train.recipe")
    return Workload(spec, data, recipe, lookup(tree, "retrain.epochs"), cut=False)
