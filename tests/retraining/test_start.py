from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.fault import Fault
from stages.pipeline.files import save_arrays
from stages.pipeline.params import parse
from stages.retraining.start import starting_point
from stages.training.loop import split_state
from stages.training.optimizer import Optimizer
from stages.training.settings import OPTIMIZER

NAME = "replicate_0"
SGD, ADAMW = (parse(OPTIMIZER, {"kind": kind, "weight_decay": 0.01}) for kind in ("sgd", "adamw"))
SLOTS = {"sgd": ["velocity"], "adamw": ["first_moment", "second_moment"]}
RESNET8 = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 10, 1)
BLOCK, STEM, STAGE = np.array([0, 3]), np.array([1, 2]), np.array([0, 2, 5])
PLAIN = """
from torch import nn

def plain(num_classes, in_channels):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 36, 8), nn.Linear(8, num_classes))
"""


def norm(name, kept):
    return {
        f"{name}.{leaf}": {0: kept} for leaf in ("weight", "bias", "running_mean", "running_var")
    }


KEPT = {
    "conv1.weight": {0: STEM},
    "layer1.0.conv1.weight": {0: BLOCK, 1: STEM},
    "layer1.0.conv2.weight": {0: STEM, 1: BLOCK},
    "layer2.0.conv1.weight": {0: STAGE, 1: STEM},
    "layer2.0.conv2.weight": {1: STAGE},
    "layer2.0.shortcut.source": {1: STEM},
    **norm("bn1", STEM),
    **norm("layer1.0.bn1", BLOCK),
    **norm("layer1.0.bn2", STEM),
    **norm("layer2.0.bn1", STAGE),
}


def selected(tensors):
    """Cut by numpy alone; the shortcut of stage 2 takes its inputs from the two channels left."""
    arrays = {}
    for name, tensor in tensors.items():
        array = tensor.numpy()
        for dim, index in KEPT.get(name, {}).items():
            if not name.endswith("source"):
                array = np.take(array, index, axis=dim)
        arrays[name] = array
    if "layer2.0.shortcut.source" in arrays:
        arrays["layer2.0.shortcut.source"] = np.array([-1, 0, 1, -1, -1, -1, -1, -1])
    return arrays


def noisy(tensors, seed):
    chance = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(t.shape, generator=chance) if t.is_floating_point() else t.clone()
        for name, t in tensors.items()
    }


@pytest.fixture
def dense():
    network = build(RESNET8, 0)
    network.load_state_dict(noisy(network.state_dict(), 1))
    return network


@pytest.fixture
def write_checkpoint(dense, tmp_path):
    """Return a function that writes a checkpoint of an earlier epoch.

    It returns the file, the network's tensors, and every slot's tensors by parameter.
    """

    def make(kind):
        weights = noisy(dense.state_dict(), 2)
        drawn = enumerate(SLOTS[kind], 3)
        slots = {slot: noisy(dict(dense.named_parameters()), i) for i, slot in drawn}
        whole = {f"network/{k}": v.numpy() for k, v in weights.items()}
        if kind == "adamw":  # squares
            slots["second_moment"] = {k: v.square() for k, v in slots["second_moment"].items()}
        for slot, tensors in slots.items():
            whole |= {f"{slot}/{k}": v.numpy() for k, v in tensors.items()}
        if kind == "adamw":
            whole["updates"] = np.array(60.0)
        save_arrays(tmp_path / "epoch.safetensors", whole, {"epoch": 3})
        return tmp_path / "epoch.safetensors", weights, slots

    return make


@pytest.fixture
def checkpoint(write_checkpoint):
    return write_checkpoint("sgd")


def slot_of(state, slot):
    """Return one slot of an optimizer's state by parameter."""
    return {k.removeprefix(f"{slot}/"): v for k, v in state.items() if k.startswith(f"{slot}/")}


@pytest.fixture
def write(tmp_path):
    """Return a function that lays out a replicate as `prune` does."""

    def layout(network, granularity, arrays, spec=RESNET8):
        compact.save(tmp_path / "networks" / f"{NAME}.safetensors", network, spec)
        meta = {"granularity": granularity}
        save_arrays(tmp_path / "masks" / f"{NAME}.safetensors", arrays, meta)
        return tmp_path

    return layout


@pytest.fixture
def by_filter(dense, write):
    small = build(RESNET8)
    tensors = {name: torch.from_numpy(a) for name, a in selected(dense.state_dict()).items()}
    compact.resize(small, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    small.load_state_dict(tensors)
    return write(small, "filter", compact.flat(KEPT))


@pytest.fixture
def masks(dense):
    chance = torch.Generator().manual_seed(4)
    names = [name for name, p in dense.named_parameters() if p.ndim == 4]
    return {n: torch.rand(dense.get_parameter(n).shape, generator=chance) < 0.3 for n in names}


@pytest.fixture
def by_weight(dense, masks, write):
    for name, mask in masks.items():
        dense.get_parameter(name).data.mul_(mask)
    return write(dense, "weight", {name: mask.numpy() for name, mask in masks.items()})


def begin(kind, folder, checkpoint=Path("none"), seed=6, kept=None):
    kept = kind == "rewound" if kept is None else kept
    return starting_point(kind, folder, NAME, checkpoint, seed, kept)


def equal(tensors, arrays):
    return tensors.keys() == arrays.keys() and all(
        np.array_equal(tensors[name].detach().numpy(), arrays[name]) for name in tensors
    )


def test_final_is_the_pruned_network_without_momentum(dense, by_filter):
    got = begin("final", by_filter)
    assert equal(got.network.state_dict(), selected(dense.state_dict()))
    assert not got.masks
    assert got.state is None


def test_final_of_a_masked_network_has_its_masks(dense, masks, by_weight):
    got = begin("final", by_weight)
    arrays = {name: tensor.numpy() for name, tensor in dense.state_dict().items()}
    assert equal(got.network.state_dict(), arrays)
    assert equal(got.masks, {name: mask.numpy() for name, mask in masks.items()})


@pytest.mark.parametrize("settings", [SGD, ADAMW])
def test_rewound_weights_and_slots_are_the_checkpoints_cut(settings, write_checkpoint, by_filter):
    file, weights, slots = write_checkpoint(settings.kind)
    got = begin("rewound", by_filter, file)
    assert equal(got.network.state_dict(), selected(weights))
    state = Optimizer(got.network, settings, got.masks, got.state).state()
    for slot, tensors in slots.items():
        assert equal(slot_of(got.state, slot), selected(tensors))
        assert equal(slot_of(state, slot), selected(tensors))
    assert state.get("updates", 60) == 60
    assert not got.masks


@pytest.mark.parametrize("settings", [SGD, ADAMW])
@pytest.mark.parametrize("granularity", ["by_filter", "by_weight"])
def test_final_weights_may_go_on_with_the_slots_of_the_checkpoint(
    granularity, settings, write_checkpoint, masks, request
):
    folder = request.getfixturevalue(granularity)
    file, _, slots = write_checkpoint(settings.kind)
    plain, got = begin("final", folder), begin("final", folder, file, kept=True)
    weights = {name: t.numpy() for name, t in plain.network.state_dict().items()}
    assert equal(got.network.state_dict(), weights)
    state = Optimizer(got.network, settings, got.masks, got.state).state()
    for slot, tensors in slots.items():
        whole = {name: t * masks.get(name, torch.ones(())) for name, t in tensors.items()}
        cut = granularity == "by_filter"
        expected = selected(tensors) if cut else {n: t.numpy() for n, t in whole.items()}
        assert equal(slot_of(state, slot), expected)
    assert state.get("updates", 60) == 60


def test_rewound_weights_may_begin_without_momentum(checkpoint, by_filter):
    file, weights, _ = checkpoint
    got = begin("rewound", by_filter, file, kept=False)
    assert equal(got.network.state_dict(), selected(weights))
    assert got.state is None


@pytest.mark.parametrize("settings", [SGD, ADAMW])
def test_rewound_weights_and_slots_are_the_checkpoints_masked(
    settings, write_checkpoint, masks, by_weight
):
    file, weights, slots = write_checkpoint(settings.kind)
    got = begin("rewound", by_weight, file)
    state = Optimizer(got.network, settings, got.masks, got.state).state()
    ones = torch.ones(())
    pairs = [(slot_of(state, slot), tensors) for slot, tensors in slots.items()]
    for tensors, expected in ((got.network.state_dict(), weights), *pairs):
        whole = {name: (t * masks.get(name, ones)).numpy() for name, t in expected.items()}
        assert equal(tensors, whole)
    assert state.get("updates", 60) == 60
    assert got.masks.keys() == masks.keys()


def test_a_checkpoint_of_another_optimizer_is_a_fault(checkpoint, by_weight):
    got = begin("rewound", by_weight, checkpoint[0])
    with pytest.raises(Fault, match=r"kind is 'adamw', .* continue from holds velocity$"):
        Optimizer(got.network, ADAMW, got.masks, got.state)


@pytest.mark.parametrize("settings", [SGD, ADAMW])
@pytest.mark.parametrize("granularity", ["by_filter", "by_weight"])
@pytest.mark.parametrize("kind", ["final", "rewound", "fresh"])
def test_every_start_trains(kind, granularity, settings, write_checkpoint, request):
    file = write_checkpoint(settings.kind)[0]
    got = begin(kind, request.getfixturevalue(granularity), file)
    optimizer = Optimizer(got.network, settings, got.masks, got.state)
    got.network(torch.randn(4, 1, 6, 6)).logsumexp(1).sum().backward()
    optimizer.step(0.1, 0.9)
    for name, mask in got.masks.items():
        assert not got.network.get_parameter(name)[~mask].any()


@pytest.mark.parametrize("granularity", ["by_filter", "by_weight"])
def test_fresh_depends_on_the_seed_alone(granularity, request):
    folder = request.getfixturevalue(granularity)
    one = begin("fresh", folder, seed=1).network.state_dict()
    torch.rand(3)
    same = begin("fresh", folder, seed=1).network.state_dict()
    other = begin("fresh", folder, seed=2).network.state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[n], other[n]) for n in one if "conv" in n)


def test_fresh_has_the_widths_and_nothing_else_of_the_pruned_network(by_filter):
    pruned = compact.load(by_filter / "networks" / f"{NAME}.safetensors").state_dict()
    fresh = begin("fresh", by_filter).network.state_dict()
    assert {n: t.shape for n, t in fresh.items()} == {n: t.shape for n, t in pruned.items()}
    changed = {name for name in fresh if not torch.equal(fresh[name], pruned[name])}
    assert {name for name in fresh if name.endswith(("weight", "mean", "var"))} <= changed
    assert torch.equal(fresh["layer2.0.shortcut.source"], pruned["layer2.0.shortcut.source"])


def test_fresh_has_zeros_where_the_mask_says(masks, by_weight):
    got = begin("fresh", by_weight)
    for name, mask in masks.items():
        weight = got.network.get_parameter(name)
        assert not weight[~mask].any()
        assert weight[mask].all()


@pytest.mark.parametrize("own", [False, True])
def test_fresh_weights_are_not_those_that_the_dense_run_began_with(
    own, masks, write, tmp_path, monkeypatch
):
    """Else the control would be the lottery ticket; replicate and dense run share their seed."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(PLAIN)
    spec = Spec("own.py", "plain", {}, 3, 1) if own else RESNET8
    dense = build(spec, 6)
    names = [name for name, p in dense.named_parameters() if p.ndim > 1]
    full = {name: np.ones(dense.get_parameter(name).shape, bool) for name in names}
    fresh = begin("fresh", write(dense, "weight", full, spec), seed=6).network
    for name in names:
        assert not torch.equal(fresh.get_parameter(name), dense.get_parameter(name))


def test_a_missing_checkpoint_is_a_fault_that_names_it(by_filter, tmp_path):
    with pytest.raises(Fault, match=r"epoch_0007\.safetensors: no such file"):
        begin("rewound", by_filter, tmp_path / "epoch_0007.safetensors")


def test_the_checkpoint_is_split_into_weights_and_the_optimizers_state():
    arrays = {"network/a.b": np.zeros(2), "velocity/a.b": np.ones(2), "updates": np.array(3.0)}
    weights, state = split_state(arrays)
    assert (weights.keys(), state.keys()) == ({"a.b"}, {"velocity/a.b", "updates"})
    assert state["velocity/a.b"].all()
    assert state["updates"] == 3
    assert not weights["a.b"].any()
    assert isinstance(nn.Parameter(weights["a.b"]), nn.Parameter)
