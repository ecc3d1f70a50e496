import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml
from stages.schedules.registry import CURVES
from stages.study.checks import check
from stages.study.settings import Study, rewind_epochs, starts, starts_fresh, trained_parts

ROOT = Path(__file__).parents[2]
TREE = read_yaml(ROOT / "stages/presets/default.yaml")


@pytest.fixture(autouse=True)
def project(monkeypatch):
    monkeypatch.chdir(ROOT)


def changed(key, value):
    tree = deepcopy(TREE)
    *way, last = key.split(".")
    node = tree
    for part in way:
        node = node[part]
    node[last] = value
    return tree


def faults(key, value):
    with pytest.raises(Fault) as fault:
        check(parse(Study, changed(key, value)))
    return str(fault.value).splitlines()


def test_the_settings_of_the_project_are_valid():
    check(parse(Study, TREE))


def test_settings_are_read_without_torch():
    code = "import sys, stages.study.checks; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        ({"source": "mnist"}, True),
        ({"source": "folder", "size": 10}, True),
        ({"source": "folder"}, True),
        ({"source": "folder", "size": 9}, False),
    ],
)
def test_a_crop_fits_images_of_known_size(data, fits):
    tree = changed("train.recipe.augment.crop.pad", 9)
    tree["data"] = data
    study = parse(Study, tree)
    if fits:
        check(study)
        return
    with pytest.raises(Fault, match=r"crop\.pad is 9; for images of 9x9 pixels it should be less"):
        check(study)


def test_a_factory_is_told_among_factories_alone():
    (told,) = faults("model.factory", "mlp")
    valid = told.split("valid: ")[1].split(", ")
    assert "resnet8" in valid
    assert not {"nn", "Tensor", "conv3x3", "BasicBlock"} & set(valid)


def test_an_arm_longer_than_the_dense_run_cannot_rewind():
    told = faults("retrain.epochs", TREE["train"]["epochs"] + 1)
    assert any("retrain.schedules.weight_rewind" in line for line in told)


def test_code_that_is_no_python_tells_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("data/raw", "data/weights"):
        Path(folder).mkdir(parents=True)
    Path("data/weights/none").touch()
    Path("net.py").write_text("def net(:\n")
    (told,) = faults("model.code", "net.py")
    assert "line 1" in told


def test_rewinding_arms_start_t_epochs_before_the_end():
    tree = changed("retrain.schedules.late", {"start": "rewound", "curve": "replay", "epochs": 3})
    dense, budget = tree["train"]["epochs"], tree["retrain"]["epochs"]
    assert rewind_epochs(parse(Study, tree)) == sorted({dense - budget, dense - 3})


def test_blocks_are_tried_out_where_an_arm_reconstructs_them_and_nowhere_else():
    plain = starts(parse(Study, TREE))
    assert plain.keys() == {"fresh", "trainable"}
    study = parse(Study, changed("retrain.schedules.onecycle.objective", "reconstruct"))
    assert starts(study) == {**plain, "reconstructed": ["onecycle"]}


def in_rounds(rounds, **schedule):
    tree = changed("retrain.schedules", {"finetune": {"curve": "constant"}, "mine": schedule})
    tree["retrain"]["schedule"] = "mine"
    tree["prune"]["iterative"] = {"again": {**tree["prune"]["methods"]["l1"], "rounds": rounds}}
    return parse(Study, tree)


def test_rounds_rewind_by_their_share_of_a_total_and_one_shot_by_all_of_it():
    study = in_rounds(3, curve="replay", start="rewound", epochs={"total": 12})
    check(study)
    assert rewind_epochs(study) == [TREE["train"]["epochs"] - n for n in (12, 4)]


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ({"curve": "constant", "epochs": {"total": 3}}, r"total is 3; with 4 rounds .* 4 or more"),
        (
            {"curve": "replay", "start": "rewound", "epochs": {"total": 10}},
            r"epochs\.total is 10; .* it should be a multiple of 4",
        ),
        (
            {"curve": "step", "milestones": [2], "epochs": {"total": 8}},
            r"milestones has 2; the arm ends at epoch 2",
        ),
    ],
)
def test_a_total_is_checked_against_the_rounds_of_every_method(schedule, told):
    check(in_rounds(1, **schedule))
    with pytest.raises(Fault, match=rf"retrain\.schedules\.mine[.:] ?.*{told}") as fault:
        check(in_rounds(4, **schedule))
    assert len(str(fault.value).splitlines()) == 1


def test_a_curve_that_never_restarts_is_checked_as_one():
    """8 epochs in 4 rounds: a milestone at 5 is in the whole curve, in none of its parts."""
    schedule = {"curve": "step", "milestones": [5], "epochs": {"total": 8}}
    check(in_rounds(4, **schedule, restart="never"))
    with pytest.raises(Fault, match="milestones has 5; the arm ends at epoch 2"):
        check(in_rounds(4, **schedule))


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ({"start": "fresh"}, "start is 'fresh'; with restart: never it should be 'final'"),
        ({"curve": "adaptive_linear"}, "restart is 'never'; adaptive_linear follows the pruning"),
        ({"average": {"kind": "ema"}}, "average: with restart: never weights go on"),
        ({"trainable": "masked_lora"}, "trainable has masked_lora, whose adapters are drawn anew"),
        ({"objective": "reconstruct"}, "objective refits the weights in each round; with restart:"),
        ({"repair": "variance"}, "repair refits the weights in each round; with restart: never"),
        ({"repair": "batchnorm"}, None),
        ({"state": "fresh"}, None),
    ],
)
def test_what_cannot_run_on_is_refused_where_a_method_prunes_in_rounds_alone(schedule, told):
    schedule = {"curve": "onecycle", **schedule, "restart": "never"}
    check(parse(Study, changed("retrain.schedules.mine", schedule)))
    if told is None:
        check(in_rounds(2, **schedule))
        return
    with pytest.raises(Fault, match=rf"retrain\.schedules\.mine\.{told}") as fault:
        check(in_rounds(2, **schedule))
    assert len(str(fault.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("start", "fresh"), [("final", False), ("rewound", False), ("fresh", True)]
)
def test_one_arm_that_starts_fresh_is_enough(start, fresh):
    tree = changed("retrain.schedules.mine", {"curve": "constant", "lr": 0.1, "start": start})
    assert starts_fresh(parse(Study, tree)) is fresh


def test_an_arm_that_keeps_momentum_needs_the_last_checkpoint():
    tree = changed("retrain.schedules.onecycle.state", "kept")
    dense, budget = tree["train"]["epochs"], tree["retrain"]["epochs"]
    assert rewind_epochs(parse(Study, tree)) == [dense - budget, dense]


def test_momentum_is_not_kept_over_rounds():
    tree = changed("retrain.schedules.onecycle.state", "kept")
    tree["prune"]["iterative"] = {"again": {**tree["prune"]["methods"]["l1"], "rounds": 2}}
    with pytest.raises(Fault, match=r"onecycle\.state is 'kept', but after round 1"):
        check(parse(Study, tree))


@pytest.mark.parametrize(
    ("start", "curve"), [("final", "onecycle"), ("rewound", "replay"), ("fresh", "onecycle")]
)
def test_given_weights_have_no_slots_to_keep(start, curve, tmp_path):
    tree = changed("retrain.schedules", {"finetune": {"curve": "constant"}})
    tree["retrain"]["schedules"]["mine"] = {"curve": curve, "start": start, "state": "kept"}
    for epoch in range(TREE["train"]["epochs"] + 1):
        (tmp_path / f"epoch_{epoch:04d}.safetensors").touch()
    (tmp_path / "final.safetensors").touch()
    tree["train"]["weights"] = str(tmp_path)
    with pytest.raises(Fault, match=r"mine\.state is 'kept', but given weights come without"):
        check(parse(Study, tree))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"curve": "onecycle"}, "max_lr is 'max'"),
        ({"curve": "constant", "momentum": 0.5}, "lr is 'last'"),
        ({"curve": "warmup_decay", "max_lr": 0.01, "decay": "cosine"}, "initial_lr is 'last'"),
        ({"curve": "onecycle", "max_lr": 0.01}, None),
        ({"curve": "scaled", "variant": "zimmer", "max_lr": 0.01}, None),
    ],
)
def test_learning_rates_of_the_dense_run_are_none_of_another_optimizers(entry, line):
    entry = {**entry, "optimizer": {"kind": "adamw"}}
    tree = changed("retrain.schedules.mine", entry)
    if line is None:
        check(parse(Study, tree))
        return
    told = f"params.yaml: retrain.schedules.mine: {line}, a learning rate for the dense run's "
    assert faults("retrain.schedules.mine", entry) == [
        f"{told}optimizer; the arm's is of another kind, so it should be a number, or the arm "
        "should have a peak"
    ]


ADAMW = {"optimizer": {"kind": "adamw"}, "state": "fresh"}


@pytest.mark.parametrize("curve", sorted(CURVES.keys() - {"step", "constant"}))
def test_no_curve_takes_sgds_learning_rates_into_adamw(curve):
    """Whatever the curve: without a number it is refused by name, and with a peak it is that."""
    (line,) = faults("retrain.schedules.mine", {"curve": curve, **ADAMW})
    assert line.startswith("params.yaml: retrain.schedules.mine")
    assert "should have a peak" in line or f"mine.peak is missing; {curve} takes its" in line
    study = parse(Study, changed("retrain.schedules.mine", {"curve": curve, "peak": 2e-3, **ADAMW}))
    check(study)
    dense = study.train.rates(10)
    arm = study.retrain.schedules["mine"]
    ours = arm.arm().rates(8, 10, arm.of_dense(dense)).lr
    np.testing.assert_allclose(ours, 0.02 * arm.arm().rates(8, 10, dense).lr, rtol=1e-12)


def test_a_peak_that_no_learning_rate_of_the_arm_is_from_is_told():
    entry = {"curve": "linear", "max_lr": 0.01, "peak": 0.02}
    assert faults("retrain.schedules.mine", entry) == [
        "params.yaml: retrain.schedules.mine.peak is 0.02, but no learning rate of the arm is the "
        "dense run's; leave it out"
    ]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"curve": "onecycle", "peak": 0.05}, ".peak is 0.05, but the arm has no epochs; leave it"),
        ({"curve": "step", "milestones": [2]}, ".milestones has 2; the arm has no epochs"),
        ({"curve": "onecycle", "optimizer": {"kind": "adamw"}}, None),
    ],
)
def test_an_arm_of_no_epochs_has_no_learning_rates_to_be_wrong(entry, told):
    entry = {**entry, "objective": "reconstruct", "epochs": 0}
    if told is None:
        check(parse(Study, changed("retrain.schedules.mine", entry)))
        return
    (line,) = faults("retrain.schedules.mine", entry)
    assert line.startswith(f"params.yaml: retrain.schedules.mine{told}")


def test_greed_needs_validation_images():
    soup = {"kind": "soup", "members": 2, "rule": "greedy"}
    tree = changed("retrain.schedules.onecycle.average", soup)
    check(parse(Study, tree))
    tree["data"]["validation"] = 0
    with pytest.raises(
        Fault, match=r"onecycle\.average\.rule is 'greedy', which validation images"
    ):
        check(parse(Study, tree))


@pytest.mark.parametrize(("epochs", "fits"), [(1000, True), (1001, False)])
def test_the_members_of_a_soup_have_together_the_epochs_of_one_run_at_most(epochs, fits):
    soup = {"kind": "soup", "members": 100}
    entry = {"curve": "onecycle", "epochs": epochs, "average": soup}
    if fits:
        check(parse(Study, changed("retrain.schedules.mine", entry)))
        return
    assert faults("retrain.schedules.mine", entry) == [
        "params.yaml: retrain.schedules.mine.average.members is 100, each of 1001 epochs; in all "
        "it should be up to 100000"
    ]


NESTEROV = {"kind": "sgd", "nesterov": True}


@pytest.mark.parametrize(
    ("momentum", "entry", "fits"),
    [
        (0.9, {"momentum": 0, "optimizer": NESTEROV}, False),
        (0, {"optimizer": NESTEROV}, False),
        (0, {"optimizer": NESTEROV, "momentum": 0.5}, True),
        (0.9, {"optimizer": NESTEROV}, True),
    ],
)
def test_nesterovs_momentum_of_an_arm_is_above_0(momentum, entry, fits):
    tree = changed("train.recipe.optimizer", {"kind": "sgd", "momentum": momentum})
    tree["retrain"]["schedules"]["mine"] = {"curve": "constant", **entry}
    if fits:
        check(parse(Study, tree))
        return
    with pytest.raises(Fault, match=r"mine\.momentum is 0; with nesterov: true it should be abo"):
        check(parse(Study, tree))


def test_the_recipes_nesterov_holds_for_an_arm_without_momentum():
    tree = changed("train.recipe.optimizer", {**NESTEROV, "momentum": 0.9})
    tree["retrain"]["schedules"]["mine"] = {"curve": "constant", "momentum": 0}
    with pytest.raises(Fault, match=r"mine\.momentum is 0; with nesterov: true it should be abo"):
        check(parse(Study, tree))


def test_arms_that_train_parts_are_listed_with_them():
    tree = changed("retrain.schedules.scaled.trainable", ["norm", {"blocks": 2}])
    tree["retrain"]["schedules"]["onecycle"]["trainable"] = "all"
    assert trained_parts(parse(Study, tree)) == {"scaled": ["norm", {"blocks": 2}]}


def test_no_method_is_called_dense():
    told = faults("prune.methods.dense", TREE["prune"]["methods"]["l1"])
    assert any("prune.methods.dense: the name stands for" in line for line in told)


@pytest.mark.parametrize(
    ("devices", "batch_size", "line"),
    [
        (3, 64, "it should be a multiple of 3, and 6 or more"),
        (4, 4, "it should be a multiple of 4, and 8 or more"),
    ],
)
def test_devices_share_a_batch_equally(devices, batch_size, line):
    """One image a device would leave BatchNorm nothing to normalise by."""
    tree = changed("train.devices", devices)
    tree["train"]["recipe"]["batch_size"] = batch_size
    with pytest.raises(Fault) as fault:
        check(parse(Study, tree))
    key = "params.yaml: train.recipe.batch_size"
    assert str(fault.value) == f"{key} is {batch_size}; with train.devices {devices} {line}"


def test_a_study_on_several_devices_is_valid_and_names_no_single_gpu():
    tree = changed("train.devices", 2)
    check(parse(Study, tree))
    tree["compute"]["device"] = "cuda:1"
    with pytest.raises(
        Fault, match=r"compute\.device is 'cuda:1'; with train\.devices 2 it should"
    ):
        check(parse(Study, tree))


def test_a_study_needs_a_device():
    (told,) = faults("train.devices", 0)
    assert told.startswith("params.yaml: train.devices is 0; it should be greater than or equal")
