"""The study of params.yaml as a workload."""

from pathlib import Path
from tempfile import TemporaryDirectory

from stages.data.preparation import prepare
from stages.data.settings import DATA
from stages.images.prepared import load
from stages.networks.building import Spec
from stages.networks.settings import Model
from stages.pipeline.params import lookup, parse, read_yaml
from stages.prepare import DOWNLOADS
from stages.training.settings import Recipe
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
