import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from stages.fault import Fault
from stages.files import load_arrays, read_meta, save_arrays, write_json
from stages.models import compact
from stages.models.registry import Spec, build
from stages.params.compute import Compute
from stages.schedules.curve import Curve, save_curve
from stages.training.arm import ArmFiles, retrain
from stages.training.fit import Record
from stages.training.loop import Run

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 2}, 3, 1)
MASKED = "layer1.0.conv1.weight"


@pytest.fixture
def arm(tmp_path, recipe, curve):
    """An arm that retrains two replicates of one network, half of a layer pruned."""
    network = build(SPEC, 0)
    mask = np.arange(network.get_parameter(MASKED).numel()) % 2 == 0
    mask = mask.reshape(network.get_parameter(MASKED).shape)
    network.get_parameter(MASKED).data.mul_(torch.from_numpy(mask))
    for number in (0, 1):
        name = f"replicate_{number}.safetensors"
        compact.save(tmp_path / "l1" / "networks" / name, network, SPEC)
        save_arrays(tmp_path / "l1" / "masks" / name, {MASKED: mask}, {"granularity": "weight"})
    folder = tmp_path / "curves" / "l1" / "onecycle"
    save_curve(folder / "curve.safetensors", curve, {"start": "final", "curve": "onecycle"})
    return ArmFiles(tmp_path / "l1", folder, recipe, Compute(), seed=5)


@pytest.fixture
def run(data, tmp_path):
    """Return a function that retrains and returns the folder of the results."""

    def start(arm, number=0, **more):
        place = tmp_path / f"place_{len(list(tmp_path.glob('place_*')))}"
        place.mkdir()
        retrain(place, arm, number, data, lambda: None, **more)
        return place

    return start


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_result_is_two_networks_and_a_history(arm, run):
    place = run(arm)
    assert set(content(place)) == {"last.safetensors", "selected.safetensors", "history.csv"}
    assert compact.read_spec(place / "last.safetensors") == SPEC
    assert pd.read_csv(place / "history.csv")["epoch"].tolist() == [1, 2, 3, 4]


def test_twice_gives_the_same_bytes(arm, run):
    first = content(run(arm))
    torch.rand(7)
    assert content(run(arm)) == first


def test_another_replicate_and_another_round_are_other_runs(arm, run):
    places = [run(arm), run(arm, number=1), run(arm, turn=2)]
    assert len({content(place)["last.safetensors"] for place in places}) == 3


def test_a_replicate_is_a_seed(arm, run):
    assert content(run(arm, number=1)) == content(run(replace(arm, seed=6), number=0))


def test_pruned_weights_are_zero_in_both_networks(arm, run):
    place = run(arm)
    mask = load_arrays(arm.pruned / "masks" / "replicate_0.safetensors")[MASKED]
    for name in ("last", "selected"):
        weight = load_arrays(place / f"{name}.safetensors")[MASKED]
        assert not weight[~mask].any()
        assert weight[mask].all()


def test_selected_is_the_best_on_validation_and_last_is_the_last(arm, run, data, monkeypatch):
    accuracies = iter((0.1, 0.9, 0.5, 0.6))
    networks = []
    add = Record.add

    def spy(self, training, loss):
        networks.append(training.state()["network/fc.weight"].copy())
        training.accuracy = lambda part: next(accuracies) if part is data.validation else 0.0
        add(self, training, loss)

    monkeypatch.setattr(Record, "add", spy)
    place = run(arm)
    last, selected = (load_arrays(place / f"{n}.safetensors") for n in ("last", "selected"))
    assert np.array_equal(last["fc.weight"], networks[3])
    assert np.array_equal(selected["fc.weight"], networks[1])


def test_an_adaptive_arm_is_scaled_replicate_by_replicate(arm, run, curve):
    write_json(arm.curve / "replicate_1.json", {"lr_scale": 0.5})
    rates = [pd.read_csv(run(arm, number=n) / "history.csv")["lr"].to_numpy() for n in (0, 1)]
    np.testing.assert_allclose(rates[0], curve.lr[::3])
    np.testing.assert_allclose(rates[1], curve.lr[::3] / 2)


def test_arms_of_a_replicate_see_the_images_in_one_order(arm, run, curve, monkeypatch):
    import stages.training.loop as loop

    drawn, tables = [], loop.epoch_tables
    monkeypatch.setattr(loop, "epoch_tables", lambda *key: drawn.append(key[2:]) or tables(*key))
    run(arm)
    other = arm.curve.with_name("finetune")
    longer = Curve(np.full(15, 0.01), np.full(15, 0.9), curve.steps_per_epoch)
    save_curve(other / "curve.safetensors", longer, {"start": "fresh", "curve": "constant"})
    run(replace(arm, curve=other))
    assert drawn[:4] == drawn[4:8]
    assert len(drawn) == 9


def test_an_arm_is_labelled_by_method_and_schedule(arm):
    assert arm.label == "l1 onecycle"
    assert read_meta(arm.curve / "curve.safetensors")["start"] == "final"


def test_all_inputs_are_in_memory_when_an_arm_says_so(arm, data, run, tmp_path):
    """From then on no edit can reach the result, which is kept under the digest of the inputs."""
    expected = content(run(arm))

    def loaded():
        shutil.rmtree(arm.pruned)
        shutil.rmtree(arm.curve)

    place = tmp_path / "alone"
    place.mkdir()
    retrain(place, arm, 0, data, loaded)
    assert content(place) == expected


def test_an_arm_trains_nothing_on_inputs_that_have_changed(arm, data, tmp_path, monkeypatch):
    def changed():
        raise Fault("changed")

    monkeypatch.setattr(Run, "advance", lambda run: pytest.fail("trained"))
    with pytest.raises(Fault, match="changed"):
        retrain(tmp_path, arm, 0, data, changed)
