from pathlib import Path

import numpy as np
import pytest
import torch

from stages.data.images import ImageSet, Prepared
from stages.files import load_arrays, read_json, save_arrays
from stages.iterate import Plan, iterate
from stages.metrics.cost import cost
from stages.models import compact
from stages.models.registry import Spec, build
from stages.params.compute import Compute
from stages.params.prune import Calibration
from stages.params.recipe import Recipe
from stages.pruning.method import Allocation, Method
from stages.schedules.curve import Curve, save_curve
from stages.training.arm import ArmFiles

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 8}, 3, 1)
FILTERS = Method("filter", "l1", Allocation("uniform", {"ratio": 0.5}))
WEIGHTS = [
    Method("weight", "magnitude", Allocation("global", {"sparsity": s})) for s in (0.3, 0.51)
]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def data():
    chance = np.random.default_rng(0)

    def draw(count):
        images = chance.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
        return ImageSet(torch.from_numpy(images), torch.from_numpy(chance.integers(0, 3, count)))

    return Prepared(draw(16), draw(8), draw(8), torch.tensor([0.5]), torch.tensor([0.3]), 3)


@pytest.fixture
def study(tmp_path, monkeypatch, data):
    """Return a function that iterates one replicate and returns its folder."""
    monkeypatch.chdir(tmp_path)
    compact.save("models/dense/final/replicate_0.safetensors", build(SPEC, 0), SPEC)
    curve = Curve(np.full(4, 0.05), np.full(4, 0.9), 2)
    save_curve("models/curves/dense.safetensors", curve, {})

    def run(methods, start="final", place="place"):
        folder = Path("models/curves/m/s")
        save_curve(folder / "curve.safetensors", curve, {"start": start, "curve": "constant"})
        arm = ArmFiles(Path(), folder, Recipe(batch_size=8, weight_decay=0.01), Compute(), seed=0)
        Path(place).mkdir(exist_ok=True)
        iterate(Path(place), Plan(methods, Calibration(), arm), 0, data, lambda: None)
        return Path(place)

    return run


def test_filters_leave_round_by_round_and_the_last_network_is_the_smallest(study):
    place = study([FILTERS, FILTERS])
    parts = [read_json(place / f"round_{k}" / "sizes.json") for k in (1, 2)]
    assert [part["widths"]["layer1.0.conv1"] for part in parts] == [4, 2]
    last = compact.load(place / "last.safetensors")
    assert last.get_parameter("layer1.0.conv1.weight").shape == (2, 8, 3, 3)
    assert cost(last, (1, 8, 8)).parameters == parts[1]["parameters"] < parts[0]["parameters"]


def test_weights_once_pruned_stay_so_and_the_sparsity_is_exact(study):
    place = study(WEIGHTS)
    first, last = (compact.load(place / f"round_{k}" / "last.safetensors") for k in (1, 2))
    name = "layer2.0.conv1.weight"
    gone = first.get_parameter(name) == 0
    assert gone.any()
    assert (last.get_parameter(name)[gone] == 0).all()
    weights = [m.weight for m in last.modules() if isinstance(m, torch.nn.Conv2d)]
    total = sum(w.numel() for w in weights)
    assert sum(int((w == 0).sum()) for w in weights) == round(0.51 * total)


def test_rewinding_goes_back_to_the_same_dense_weights_in_every_round(study, monkeypatch):
    """At a learning rate of 0 a rewound network is the checkpoint, cut twice."""
    curve = Curve(np.zeros(4), np.full(4, 0.9), 2)
    monkeypatch.setattr("stages.training.arm.load_curve", lambda p: (curve, {"start": "rewound"}))
    early = build(SPEC, 7)
    state = {f"network/{k}": v.numpy() for k, v in early.state_dict().items()}
    state |= {f"velocity/{k}": np.zeros(p.shape, "f4") for k, p in early.named_parameters()}
    save_arrays("models/curves/m/s/replicate_0.safetensors", state)
    place = study([FILTERS, FILTERS], "rewound")
    kept = compact.nested(load_arrays(place / "round_2" / "masks" / "replicate_0.safetensors"))
    expected = compact.cut(early.state_dict(), kept)
    last = compact.load(place / "last.safetensors")
    for name, parameter in last.named_parameters():
        assert torch.equal(parameter, expected[name]), name


def test_a_run_that_stopped_between_rounds_goes_on_to_the_same_bits(study, monkeypatch):
    whole = study([FILTERS, FILTERS], place="whole")
    from stages import iterate as module

    retrain = module.retrain

    def killed(place, *rest):
        if place.name == "round_2":
            raise KeyboardInterrupt
        retrain(place, *rest)

    monkeypatch.setattr(module, "retrain", killed)
    with pytest.raises(KeyboardInterrupt):
        study([FILTERS, FILTERS])
    seen = []
    monkeypatch.setattr(
        module, "retrain", lambda p, *rest: (seen.append(p.name), retrain(p, *rest))
    )
    resumed = study([FILTERS, FILTERS])
    assert seen == ["round_2"]
    for file in ("last.safetensors", "selected.safetensors", "history.csv"):
        assert (resumed / file).read_bytes() == (whole / file).read_bytes()
