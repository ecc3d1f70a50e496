"""Retraining and rounds over two processes: replicates as their stages compute them."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages import iterate, retrain
from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, save_arrays
from stages.pruning.method import Allocation, Method
from stages.pruning.settings import Calibration
from stages.replicates import ranks
from stages.replicates.processes import run_replicates
from stages.replicates.settings import Compute
from stages.retraining.plan import Plan, rewound_file, teacher_file
from stages.retraining.rounds import Rounds
from stages.retraining.run import ArmRun
from stages.retraining.technique import Technique
from stages.training.loop import Run

CODE = """
from torch import nn

def net(num_classes, in_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, 4, 3, bias=False),
        nn.GroupNorm(2, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, num_classes),
    )
"""
GROUP_NORM = Spec("net.py", "net", {}, 3, 1)
RESNET8 = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 3, 1)
MASKED = ("0.weight", "4.weight")
WEIGHTS = [
    Method("weight", "magnitude", Allocation("global", {"sparsity": s}), linear=True)
    for s in (0.3, 0.51)
]
FILTERS = [Method("filter", "l1", Allocation("uniform", {"ratio": 0.5}))] * 2


@pytest.fixture(autouse=True)
def prepared(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.training.progress.SAVING_SHARE", 1e9)
    for stage in ("retrain", "iterate"):
        monkeypatch.setattr(f"stages.{stage}.load", lambda *where, **how: data)
    Path("net.py").write_text(CODE)


@pytest.fixture
def arm(recipe, rates):
    plan = Plan("rewound", "replay", rates, dense_epochs=6, rewound_epoch=2)
    return ArmRun(Path("models/plans/m/s"), plan, recipe, Compute(device="cpu"), seed=5)


@pytest.fixture
def pruned(arm):
    """A pruned network with half its weights masked, and the dense state that it rewinds to."""
    network, folder = build(GROUP_NORM, 0), Path("models/pruned/m")
    chance = np.random.default_rng(0)
    masks = {name: chance.random(network.get_parameter(name).shape) < 0.5 for name in MASKED}
    compact.save(folder / "networks/replicate_0.safetensors", network, GROUP_NORM)
    save_arrays(folder / "masks/replicate_0.safetensors", masks, {"granularity": "weight"})
    early = build(GROUP_NORM, 9)
    state = {f"network/{name}": tensor.numpy() for name, tensor in early.state_dict().items()}
    for name, weights in early.named_parameters():
        state[f"velocity/{name}"] = 0.1 * chance.standard_normal(weights.shape).astype("f4")
    save_arrays(rewound_file(arm.folder, 0), state)
    return folder, masks


@pytest.fixture
def retrained(arm, pruned, new_stage):
    """Return a function that retrains the pruned network over devices, in a stage of its own."""

    def start(devices=2, **keys):
        stage = new_stage()
        own = replace(arm, plan=replace(arm.plan, technique=Technique(**keys)))
        run_replicates(
            lambda number: retrain.replicate(stage, own, pruned[0], stage.outputs, number),
            1,
            1,
            devices,
        )
        return stage

    return start


@pytest.fixture
def iterated(arm, new_stage):
    """Return a function that iterates a network over devices, in a stage or one of its own."""

    def start(methods, spec, stage=None, devices=2):
        stage = stage or new_stage()
        compact.save("models/dense/final/replicate_0.safetensors", build(spec, 0), spec)
        plan = Plan("final", "onecycle", arm.plan.rates, dense_epochs=6)
        rounds = Rounds(methods, Calibration(), replace(arm, plan=plan))
        run_replicates(
            lambda number: iterate.replicate(stage, rounds, stage.outputs, number), 1, 1, devices
        )
        return stage

    return start


def network(stage, name="last"):
    return load_arrays(stage.outputs.networks / f"replicate_0/{name}.safetensors")


def test_a_rewound_masked_arm_on_two_devices_ends_where_it_does_on_one(retrained, pruned, close):
    alone, together = network(retrained(devices=1)), network(retrained())
    close(together, alone)
    assert any(not np.array_equal(together[name], alone[name]) for name in alone)
    for name, mask in pruned[1].items():
        assert not together[name][~mask].any()
        assert together[name][mask].all()


KEYS = {
    "teacher": {"teacher": {}},
    "average": {"average": {"kind": "ema", "horizon": 0.4}},
    "sharpness": {"sharpness": {"rho": 0.1}},
    "clip": {"clip": 0.1},
    "trainable": {"trainable": ("norm", "head")},
    "soup": {"average": {"kind": "soup", "members": 2}},
    "lora": {"trainable": ({"masked_lora": 2}, "norm"), "state": "fresh"},
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_an_arm_with_keys_ends_on_two_devices_where_it_does_on_one(keys, arm, retrained, close):
    compact.save(teacher_file(arm.folder, 0), build(GROUP_NORM, 4), GROUP_NORM)
    alone, together = network(retrained(devices=1, **keys)), network(retrained(**keys))
    close(together, alone)
    plain = network(retrained(devices=1))
    assert any(not np.array_equal(alone[name], plain[name]) for name in alone)


def test_an_arm_on_two_devices_gives_the_same_bytes_twice(retrained):
    assert retrained().content() == retrained().content()


def test_rounds_on_two_devices_end_where_they_do_on_one(iterated, close):
    one, two = iterated(WEIGHTS, GROUP_NORM, devices=1), iterated(WEIGHTS, GROUP_NORM)
    for name in ("round_1/last", "round_2/last", "last"):
        close(network(two, name), network(one, name))
    gone = network(two, "round_1/last")["4.weight"] == 0
    assert gone.any()
    assert not network(two)["4.weight"][gone].any()


@pytest.mark.parametrize("epoch", [1, 4, 5], ids=["in round 1", "between", "in round 2"])
def test_rounds_that_lost_a_device_go_on_to_the_same_bits(epoch, iterated, new_stage, monkeypatch):
    whole, stage = iterated(FILTERS, RESNET8).content(), new_stage()
    trained, advance = [], Run.advance

    def dying(run):
        if len(trained) == epoch and not ranks.leads():
            os.kill(os.getpid(), signal.SIGKILL)
        trained.append(run.epoch)
        return advance(run)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "advance", dying)
        with pytest.raises(Fault, match="replicate 0, device 1: its process ended with exit code"):
            iterated(FILTERS, RESNET8, stage)
    assert iterated(FILTERS, RESNET8, stage).content() == whole


def test_inputs_that_have_changed_on_any_device_stop_all(iterated, new_stage):
    def changed():
        if not ranks.leads():
            raise Fault("changed")

    with pytest.raises(Fault, match=r"^changed$"):
        iterated(FILTERS, RESNET8, new_stage(changed))
