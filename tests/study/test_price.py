from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from stages.evaluation.settings import Corruptions
from stages.pipeline.params import parse, read_yaml
from stages.study.bill import Around, Item, bill, replicates, stage_seconds
from stages.study.price import Images, Price, Speed, corruption_seconds, prices
from stages.study.settings import Study

ROOT = Path(__file__).parents[2]
DENSE = Speed(step=2.0, image=0.01, once=3.0, nbytes=1000, macs=600)
SMALL = Speed(step=1.0, image=0.005, once=2.0, nbytes=400, macs=200)
SMALLER = Speed(step=0.5, image=0.001, once=1.0, nbytes=100, macs=100)
IMAGES = Images(steps=10, trained=640, validation=20, test=80, classes=3)
LOGITS = 100 * 3 * 4


@pytest.fixture(autouse=True)
def project(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(**schedules):
    tree = deepcopy(read_yaml(ROOT / "stages/presets/default.yaml"))
    tree["train"] |= {"epochs": 20, "checkpoint_every": 5}
    tree["retrain"] |= {"epochs": 8, "schedules": schedules}
    return parse(Study, tree)


def priced(study, rounds=(SMALL,)):
    return prices(study, DENSE, {"l1": list(rounds)}, {"l1": 7.0}, IMAGES)


def by_arm(parts):
    return {(part.method, part.schedule): part for part in parts}


def test_the_dense_run_by_hand():
    """3 s once, 20 epochs of 10 steps of 2 s and 20 images held out, a test; four checkpoints."""
    dense, *_ = priced(study(a={"curve": "replay"}))
    assert dense == Price("", "", 3.0 + 20 * (10 * 2.0 + 0.2) + 1.0, 1000 + 4 * 2000 + LOGITS)


def test_given_weights_are_tested_once(tmp_path):
    (tmp_path / "net.pt").touch()
    given = study(a={"curve": "replay"})
    given = given.model_copy(
        update={"train": given.train.model_copy(update={"weights": f"{tmp_path}/net.pt"})}
    )
    assert priced(given)[0].seconds == 3.0 + 1.0


def test_an_arm_by_hand():
    """2 s once, 8 epochs of 10 steps of 1 s and a test of 0.5 s; both networks are tested again.

    Pruning takes 7 s, and 640 training and twice 100 held out images pass through what is left.
    """
    parts = by_arm(priced(study(a={"curve": "replay"})))
    assert parts["l1", ""].seconds == pytest.approx(7.0 + 840 * 0.005)
    assert parts["l1", "a"].seconds == pytest.approx(2.0 + 8 * 10.5 + 1.0)
    assert parts["l1", "a"].nbytes == 2 * 400 + 2 * LOGITS


def test_a_rewound_arm_keeps_a_checkpoint_more():
    parts = priced(study(a={"curve": "replay", "start": "rewound"}))
    assert parts[-1].nbytes == 2 * 400 + 2 * LOGITS + 2000


@pytest.mark.parametrize(
    ("keys", "step", "nbytes"),
    [
        ({"teacher": {}}, 1.0 + 64 * 0.01, 1000),
        ({"sharpness": {}}, 2.0, 0),
        ({"teacher": {}, "sharpness": {}}, 2 * (1.0 + 64 * 0.01), 1000),
        ({"state": "kept"}, 1.0, 2000),
    ],
)
def test_what_keys_of_an_arm_cost_by_hand(keys, step, nbytes):
    """A teacher sees the 64 images of a batch, SAM takes two gradients; copies lie in the plan."""
    parts = priced(study(a={"curve": "replay", **keys}))
    assert parts[-1].seconds == pytest.approx(2.0 + 8 * (10 * step + 0.5) + 1.0)
    assert parts[-1].nbytes == 2 * 400 + 2 * LOGITS + nbytes


@pytest.mark.parametrize(
    ("keys", "passes"),
    [
        ({"average": {"kind": "ema"}}, 0),
        ({"average": {"kind": "ema", "batchnorm": "reestimate"}}, 8),
        ({"repair": "batchnorm"}, 1),
        ({"repair": "batchnorm", "average": {"kind": "swa", "batchnorm": "reestimate"}}, 9),
    ],
)
def test_estimating_statistics_passes_the_training_images(keys, passes):
    """Once before training, or after each of 8 epochs: 640 images of 5 ms."""
    parts = priced(study(a={"curve": "replay", **keys}))
    assert parts[-1].seconds == pytest.approx(2.0 + 8 * 10.5 + 1.0 + passes * 640 * 0.005)


@pytest.mark.parametrize(("batchnorm", "passes"), [("keep", 0), ("reestimate", 3)])
def test_a_soup_costs_its_members(batchnorm, passes):
    """Three runs of 8 epochs, with one start, and statistics estimated where each of them ends."""
    soup = {"kind": "soup", "members": 3, "batchnorm": batchnorm}
    found = priced(study(a={"curve": "replay", "average": soup}))[-1].seconds
    assert found == pytest.approx(2.0 + 24 * 10.5 + 1.0 + passes * 640 * 0.005)


def test_a_repair_by_variance_copies_the_dense_network():
    found = priced(study(a={"curve": "replay", "repair": "variance"}))[-1]
    assert found.nbytes == 2 * 400 + 2 * LOGITS + 1000


def test_rounds_add_up_at_their_own_sizes():
    found = priced(study(a={"curve": "replay"}), (SMALL, SMALLER))
    assert found[-1].seconds == pytest.approx(2.0 + 8 * 10.5 + 1.0 + 7.0 + 1.0 + 8 * 5.1 + 0.2)
    assert found[-1].nbytes == 2 * 500 + 2 * LOGITS


def test_an_objective_is_paid_before_the_first_epoch():
    """128 images in 10 passes, at 1 s a step of 64; and 6 blocks, each seen by both networks."""
    own = {"objective": "reconstruct", "epochs": 0}
    found = priced(study(a={"curve": "constant", **own}))[-1]
    before = 128 * (10 * 1.0 / 64 + 6 * (0.005 + 0.01))
    assert found.seconds == pytest.approx(2.0 + 1.0 + before)
    assert found.nbytes == 2 * 400 + 2 * LOGITS + 1000


def test_slots_are_kept_from_round_to_round_of_a_curve_that_never_restarts():
    plain, going_on = (
        priced(study(a={"curve": "constant", **keys}), (SMALL, SMALLER))[-1]
        for keys in ({}, {"restart": "never"})
    )
    assert going_on.nbytes == plain.nbytes + 400  # one slot of SGD, of the network of round 1


def test_rounds_share_a_total_and_the_last_has_the_rest():
    found = priced(study(a={"curve": "constant", "epochs": {"total": 5}}), (SMALL, SMALLER))
    assert found[-1].seconds == pytest.approx(2.0 + 2 * 10.5 + 1.0 + 7.0 + 1.0 + 3 * 5.1 + 0.2)


@pytest.mark.parametrize(("epochs", "budget"), [(3, 3), ("dense", 20), ("dense_macs", 60)])
def test_an_arm_has_its_own_budget(epochs, budget):
    arm = {"curve": "constant", "lr": 0.1, "start": "fresh", "epochs": epochs}
    found = priced(study(a=arm))
    assert found[-1].seconds == pytest.approx(2.0 + budget * 10.5 + 1.0)


@pytest.mark.parametrize(
    ("seconds", "seeds", "workers", "clock"),
    [([5], 12, 2, 30), ([5], 12, 8, 10), ([5], 4, 100, 5), ([5, 8], 4, 2, 26), ([5, 8], 1, 4, 8)],
)
def test_replicates_take_no_less_than_the_longest_as_often_as_it_fills_the_workers(
    seconds, seeds, workers, clock
):
    item = replicates("arms", seconds, seeds, workers)
    assert item.seconds == pytest.approx(clock)
    assert item.number * item.each == pytest.approx(seeds * sum(seconds))


PARTS = [
    Price("", "", 10, 0),
    Price("l1", "", 1, 0),
    Price("l1", "x", 5, 0),
    Price("l1", "y", 8, 0),
]
AROUND = Around(opening=4.0, stage=0.2, latency=9.0, report=2.0)


def small_study():
    """Two arms of one method, four replicates, and a latency stage."""
    found = study(x={"curve": "replay"}, y={"curve": "replay"})
    only = found.prune.model_copy(update={"methods": {"l1": found.prune.methods["l1"]}})
    return found.model_copy(update={"seeds": 4, "prune": only})


def test_a_bill_by_hand():
    """Eight stages have nothing beside them: seven and latency; ten have, 0.4 s of a core each."""
    items = {item.what: item for item in bill(small_study(), PARTS, AROUND, 2)}
    assert {name: round(item.seconds, 6) for name, item in items.items()} == {
        "start of the run": 4.0,
        "stages one by one: their start": 3.2,
        "stages side by side: their start": 2.0,
        "dense runs": 20.0,
        "prunings": 2.0,
        "retrainings": 26.0,
        "tests on corrupted images": 0.0,
        "timing of latency, alone": 9.0,
        "report": 2.0,
    }
    assert items["retrainings"] == Item("retrainings", 8, 6.5, 2.0)


def corrupted_study():
    """Two kinds at three severities, and the clean images: seven conditions."""
    asked = Corruptions(kinds=("jpeg", "contrast"), severities=(1, 2, 3))
    return small_study().model_copy(update={"corruptions": {"l1": asked}})


def test_tests_on_corrupted_images_by_hand():
    """80 images under seven conditions, by the dense, the pruned and both retrained networks."""
    pruned = {"l1": [SMALL, SMALLER]}
    found = corruption_seconds(corrupted_study(), DENSE, pruned, IMAGES)
    assert found == {"l1": pytest.approx(7 * 80 * (0.01 + 0.005 + 2 * 0.001))}
    assert corruption_seconds(small_study(), DENSE, pruned, IMAGES) == {}


def test_tests_on_corrupted_images_are_on_the_bill_and_have_a_stage():
    """Four replicates of 3 s, two at a time; one stage more starts beside others."""
    around = replace(AROUND, corruptions={"l1": 3.0})
    items = {item.what: item for item in bill(corrupted_study(), PARTS, around, 2)}
    assert items["tests on corrupted images"].seconds == 6.0
    assert items["stages side by side: their start"].number == 11
    assert stage_seconds(corrupted_study(), PARTS, around, 2)["corruptions@l1"] == 6.4


def test_the_stages_of_a_bill_are_those_of_dvc():
    """dvc.lock has every stage of the default study, whose bill counts as many."""
    default = parse(Study, read_yaml(ROOT / "stages/presets/default.yaml"))
    methods, arms = default.prune.methods, default.retrain.schedules
    parts = [Price("", "", 1, 0)]
    for method in methods:
        parts += [Price(method, "", 1, 0), *(Price(method, arm, 1, 0) for arm in arms)]
    names = set(read_yaml(ROOT / "dvc.lock")["stages"])
    assert set(stage_seconds(default, parts, AROUND, 2)) == names
    starts = [item.number for item in bill(default, parts, AROUND, 2) if "their start" in item.what]
    assert sum(starts) == len(names)


def test_the_seconds_of_stages_by_hand():
    """Of two cores, dense runs and prunings have both; each arm has one, beside another."""
    found = stage_seconds(small_study(), PARTS, AROUND, 2)
    shown = ("code", "train", "prune@l1", "retrain@l1-x", "evaluate@l1-x", "latency@l1", "compare")
    assert [round(found[name], 6) for name in shown] == [4.4, 20.4, 2.4, 20.4, 0.4, 9.4, 2.4]


def test_an_iterative_method_has_stages_of_its_own():
    found = small_study()
    rounds = found.prune.model_copy(update={"methods": {}, "iterative": found.prune.methods})
    found = found.model_copy(update={"prune": rounds, "latency": {}})
    names = set(stage_seconds(found, PARTS, AROUND, 2))
    assert {"prune_iterative@l1", "plan_iterative@l1", "iterate@l1-x"} <= names
    assert {"evaluate_pruned_iterative@l1", "evaluate_iterative@l1-y"} <= names
    assert not any(name.startswith(("retrain", "prune@", "latency")) for name in names)
