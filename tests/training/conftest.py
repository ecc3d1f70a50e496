import numpy as np
import pytest
import torch
from torch import nn

from stages.images.prepared import ImageSet, Prepared
from stages.pipeline.files import load_arrays, save_arrays
from stages.replicates import ranks
from stages.replicates.processes import run_replicates
from stages.replicates.seeds import RETRAIN
from stages.schedules.rates import Rates
from stages.training.loop import Run
from stages.training.optimizer import Optimizer
from stages.training.settings import Recipe

CLASSES, SIDE, IMAGES, BATCH = 3, 6, 26, 8


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Let tests that fork do so safely: no OpenMP pool exists to be lost in a child."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def image_set():
    """Return a function that draws images whose brightness tells their class."""

    def draw(count, seed=0):
        chance = np.random.default_rng(seed)
        labels = chance.integers(0, CLASSES, count)
        noise = chance.integers(0, 120, (count, 1, SIDE, SIDE))
        images = (noise + 60 * labels[:, None, None, None]).astype(np.uint8)
        return ImageSet(torch.from_numpy(images), torch.from_numpy(labels))

    return draw


@pytest.fixture
def data(image_set):
    mean, std = torch.tensor([0.45]), torch.tensor([0.2])
    return Prepared(
        image_set(IMAGES), image_set(12, 1), image_set(15, 2), mean, std, classes=CLASSES
    )


@pytest.fixture
def recipe():
    optimizer = {"kind": "sgd", "weight_decay": 1e-3}
    return Recipe(batch_size=BATCH, optimizer=optimizer, augment={"crop": {"pad": 1}, "flip": {}})


@pytest.fixture
def other_recipe():
    """One that shares nothing with `recipe` but the batch."""
    return Recipe(
        batch_size=BATCH,
        optimizer={"kind": "adamw", "weight_decay": 0.1},
        loss={"kind": "label_smoothing", "smoothing": 0.1},
        augment={"resized_crop": {"scale": [0.5, 1]}},
    )


@pytest.fixture
def clipped_recipe(other_recipe):
    """One whose every gradient is cut, and whose biases and scales do not decay."""
    return other_recipe.model_copy(update={"clip": 0.05, "decayed": "weights"})


@pytest.fixture
def rates():
    """Four epochs of three steps; learning rate and momentum differ at every step."""
    step = np.arange(12)
    return Rates(0.1 / (1 + step), 0.9 - 0.01 * step, IMAGES // BATCH)


@pytest.fixture
def network():
    """Return a function that draws a small network with BatchNorm and dropout."""

    def draw(seed=0, dropout=0.3):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(
                nn.Conv2d(1, 4, 3, bias=False),
                nn.BatchNorm2d(4),
                nn.ReLU(),
                nn.Flatten(),
                nn.Dropout(dropout),
                nn.Linear(4 * (SIDE - 2) ** 2, CLASSES),
            )

    return draw


@pytest.fixture
def begin(data, recipe, rates, network):
    """Return a function that makes the same run at epoch 0 again; keywords replace its parts."""

    def make(**parts):
        whole = {"network": network(), "data": data, "recipe": recipe, "rates": rates}
        whole |= {"seed": 3, "stream": RETRAIN, "masks": {}, **parts}
        if "optimizer" not in whole:
            shared = whole["recipe"]
            rest = whole["masks"], None, shared.decayed, shared.clip
            whole["optimizer"] = Optimizer(whole["network"], shared.optimizer, *rest)
        return Run(**whole)

    return make


@pytest.fixture
def masked(network):
    """A network with half the weights of each layer pruned, and the masks by parameter name."""
    net = network()
    chance = torch.Generator().manual_seed(5)
    masks = {}
    for name in ("0.weight", "5.weight"):
        weight = net.get_parameter(name)
        masks[name] = torch.rand(weight.shape, generator=chance) < 0.5
        weight.data.mul_(masks[name])
    return net, masks


@pytest.fixture
def snapshot():
    """Return a function that copies the whole state of a run."""
    return lambda run: {name: array.copy() for name, array in run.state().items()}


@pytest.fixture
def same():
    """Return a function that says whether two states agree to the bit."""

    def equal(one, other):
        return one.keys() == other.keys() and all(
            one[k].dtype == other[k].dtype and one[k].tobytes() == other[k].tobytes() for k in one
        )

    return equal


@pytest.fixture
def close():
    """Return a function that asserts that two states differ by rounding alone.

    A sum over two halves of a batch rounds otherwise than one over the whole, by some 1e-7 of it;
    after a dozen steps weights of about 0.1 differ by less than ten times that.
    """

    def equal(one, other):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6, err_msg=name)

    return equal


@pytest.fixture
def on_ranks(tmp_path):
    """Return a function that calls another on each of some ranks; it returns arrays by name."""

    def call(function, devices=2):
        def task(number):
            save_arrays(tmp_path / f"rank_{ranks.number()}", function())

        run_replicates(task, 1, 1, devices)
        return [load_arrays(tmp_path / f"rank_{rank}") for rank in range(devices)]

    return call
