from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stages.evaluation.metrics import scores
from stages.evaluation.moved import Moved
from stages.evaluation.outcome import Outcome
from stages.pipeline.fault import Fault
from stages.pipeline.files import save_rows, write_json
from stages.results.files import read_arm, write_result
from stages.results.scoring import (
    POINTS,
    arm_result,
    dense_result,
    points,
    pruned_result,
    read_classes,
    read_labels,
)
from stages.retraining.plan import Plan, in_turn
from stages.retraining.technique import Technique
from stages.schedules.rates import Rates
from stages.training.divergence import Divergence
from stages.training.history import History

EPOCHS, STEPS = 3, 2
LABELS = {"validation": np.array([0, 1]), "test": np.array([1, 0, 1, 1])}
RATES = Rates(np.array([0.6, 0.5, 0.4, 0.3, 0.2, 0.1]), np.linspace(0.8, 0.9, 6), STEPS)
PLAN = Plan("rewound", "replay", RATES, dense_epochs=9, rewound_epoch=6)
ENVIRONMENT = {"device": "cpu", "threads": 1}


def logits(names, seed=0, splits=("validation", "test")):
    chance = np.random.default_rng(seed)
    shapes = {split: (len(LABELS[split]), 2) for split in splits}
    return {
        name: {split: chance.standard_normal(shapes[split], np.float32) for split in splits}
        for name in names
    }


def history(validation=(0.5, 1.0, 0.5), test=(0.25, 0.5, 0.75)):
    epochs = len(test)
    return {
        "epoch": np.arange(1.0, epochs + 1),
        "lr": np.full(epochs, 0.1),
        "momentum": np.full(epochs, 0.9),
        "train_loss": np.linspace(1, 0.5, epochs),
        "validation_accuracy": np.array(validation, np.float64),
        "test_accuracy": np.array(test, np.float64),
    }


def outcome(seed=0, names=("last", "selected"), size=(100, 80, 1000), **more):
    return Outcome(logits(names, seed), *size, **{"history": history(), **more})


DENSE = outcome(9, ["final"])
CLASSES = ("zero", "one")


def arm(*outcomes, plan=PLAN, labels=LABELS, seed=5):
    dense = [DENSE] * len(outcomes)
    return arm_result("l1", "weight_rewind", plan, outcomes, labels, seed, ENVIRONMENT, dense)


def beside_dense(logits, split):
    """Return the scores of logits, and their agreement with those of DENSE."""
    found = scores(logits[split], LABELS[split])
    theirs = DENSE.logits["final"][split]
    return found | {"agreement": np.mean(logits[split].argmax(1) == theirs.argmax(1))}


def test_labels_are_those_of_the_prepared_splits(tmp_path):
    for split, labels in LABELS.items():
        save_rows(tmp_path / f"{split}_labels.npy", np.int64, labels.shape, [labels])
    found = read_labels(tmp_path)
    assert {split: labels.tolist() for split, labels in found.items()} == {
        "validation": [0, 1],
        "test": [1, 0, 1, 1],
    }


def test_classes_are_those_of_the_description(tmp_path):
    write_json(tmp_path / "description.json", {"classes": ["cat", "dog"], "mean": [0.5]})
    assert read_classes(tmp_path) == ("cat", "dog")


def test_missing_labels_are_a_fault(tmp_path):
    with pytest.raises(Fault, match=r"validation_labels\.npy: no such file"):
        read_labels(tmp_path)


def test_dense_networks_are_scored_replicate_by_replicate():
    outcomes = [outcome(seed, ["final"]) for seed in (0, 1)]
    found = dense_result(outcomes, LABELS, 5, ENVIRONMENT, EPOCHS, CLASSES)
    assert (found.epochs, found.environment) == (EPOCHS, ENVIRONMENT)
    assert [replicate.seed for replicate in found.replicates] == [5, 6]
    for replicate, one in zip(found.replicates, outcomes, strict=True):
        for split, labels in LABELS.items():
            assert getattr(replicate, split) == scores(one.logits["final"][split], labels)


def test_a_dense_network_that_was_not_trained_was_given():
    trained, given = (outcome(0, ["final"], **more) for more in ({}, {"history": {}}))
    assert not dense_result([trained], LABELS, 5, ENVIRONMENT, 2, CLASSES).given
    assert dense_result([given], LABELS, 5, ENVIRONMENT, 7, CLASSES).given
    assert dense_result([given], LABELS, 5, ENVIRONMENT, 7, CLASSES).epochs == 7


def test_pruned_networks_are_scored_raw_and_recalibrated():
    outcomes = [outcome(seed, ["pruned", "recalibrated"], history={}) for seed in (0, 1)]
    found = pruned_result("l1", "filter", outcomes, LABELS, 5, [DENSE, DENSE])
    assert (found.method, found.granularity) == ("l1", "filter")
    for name, replicates in (("pruned", found.replicates), ("recalibrated", found.recalibrated)):
        assert [replicate.seed for replicate in replicates] == [5, 6]
        for replicate, one in zip(replicates, outcomes, strict=True):
            assert replicate.test == beside_dense(one.logits[name], "test")
            assert replicate.validation == beside_dense(one.logits[name], "validation")


def test_scores_by_hand():
    """The test images have the labels 1, 0, 1, 1; both of equal logits are halves."""
    certain = np.array([[0.0, 1000], [1000, 0], [0, 1000], [1000, 0]], np.float32)
    halves = {"validation": np.zeros((2, 2), np.float32), "test": certain}
    found = dense_result(
        [Outcome({"final": halves}, 1, 1, 1, history())], LABELS, 0, {}, 2, CLASSES
    )
    test, validation = found.replicates[0].test, found.replicates[0].validation
    assert test.items() >= {"accuracy": 0.75, "nll": 250.0, "brier": 0.5}.items()
    half = {"accuracy": 0.5, "nll": pytest.approx(np.log(2)), "brier": pytest.approx(0.5)}
    assert {name: validation[name] for name in half} == half


def test_rounds_that_share_a_budget_cost_their_own_epochs():
    """5 epochs in rounds of 2 and 3 of 100 and 40 MACs; a teacher of 900 MACs has a third."""
    rates = Rates(np.linspace(1, 0.1, 10), np.full(10, 0.9), STEPS)
    shared = Plan("final", "linear", rates, dense_epochs=9, rounds=(2, 3))
    whole = outcome(size=(100, 80, 40), round_macs=(100, 40))
    found = arm(whole, plan=shared)
    assert (found.epochs, found.rounds, found.training_macs) == (2.5, 2, 2 * 100 + 3 * 40)
    assert (found.retraining_epochs, found.last_epochs) == (5, 3)
    taught = replace(shared, technique=Technique(teacher={}))
    assert arm(whole, plan=taught).training_macs == 320 + 5 * DENSE.macs / 3
    each = arm(whole, plan=replace(PLAN, start="final", rewound_epoch=None))
    assert (each.epochs, each.retraining_epochs, each.training_macs) == (3, 6, 3 * 140)


def test_what_an_objective_costs_before_the_first_step_counts():
    """3 epochs of 1000 MACs, and the mean of 500 and 700."""
    found = arm(outcome(before_macs=500.0), outcome(1, before_macs=700.0))
    assert found.training_macs == 3 * 1000 + 600


def test_an_arm_without_epochs_has_the_accuracy_of_what_it_left():
    nothing = Plan("final", "linear", Rates(np.empty(0), np.empty(0), STEPS), dense_epochs=9)
    columns = {name: column[:0] for name, column in history().items()}
    found = arm(outcome(history=columns, before_macs=50.0), plan=nothing)
    assert (found.epochs, found.retraining_epochs, found.training_macs) == (0, 0, 50.0)
    (run,) = found.replicates
    assert (run.selected.epoch, run.test_best.epoch) == (0, 0)
    assert run.test_best.accuracy == run.last.test["accuracy"]
    assert found.points.lr == (0.0,)


def test_a_size_is_the_rounded_mean_of_the_replicates():
    sizes = [(100, 80, 1000), (101, 81, 1003), (101, 83, 1000)]
    found = arm(*(outcome(size=size) for size in sizes))
    assert (found.parameters, found.nonzero, found.macs) == (101, 81, 1001)


def test_chance_is_the_share_of_the_commonest_class():
    found = dense_result([outcome(0, ["final"])], LABELS, 5, ENVIRONMENT, 2, CLASSES)
    assert (found.chance, found.classes, found.class_images) == (0.75, CLASSES, (1, 3))


def test_a_step_that_takes_two_gradients_costs_twice():
    sharp = replace(PLAN, technique=Technique(sharpness={"rho": 0.1}))
    plain, twice = arm(outcome()), arm(outcome(), plan=sharp)
    assert twice.training_macs == 2 * plain.training_macs


def test_a_soup_costs_and_counts_the_epochs_of_its_members():
    soup = Technique(average={"kind": "soup", "members": 3})
    members = replace(PLAN, rates=in_turn(PLAN.rates, [0.5, 1, 2]), technique=soup)
    plain, found = arm(outcome()), arm(outcome(), plan=members)
    assert found.training_macs == 3 * plain.training_macs
    assert (found.epochs, plain.epochs) == (3 * EPOCHS, EPOCHS)


def test_a_teacher_adds_a_forward_pass_of_the_dense_network_to_each_step():
    """Of 3000 MACs, to the three passes that a step takes of the arm's network of 1000."""
    whole = outcome(9, ["final"], size=(100, 80, 3000))
    taught = replace(PLAN, technique=Technique(teacher={}))
    found = [
        arm_result("l1", "s", plan, [ours], LABELS, 5, ENVIRONMENT, [whole]).training_macs
        for plan in (PLAN, taught)
        for ours in (outcome(), outcome(round_macs=(2000, 1000)))
    ]
    assert found == [EPOCHS * macs for macs in (1000, 3000, 1000 + 1000, 3000 + 2 * 1000)]


DIVERGED = Divergence(3, 0.4, None)


def gone(diverged=DIVERGED, **more):
    """A replicate that diverged, after two epochs."""
    trained = {name: column[:2] for name, column in history().items()}
    return Outcome({}, *(100, 80, 1000), history=trained, diverged=diverged, **more)


def test_a_replicate_that_diverged_is_recorded_without_scores():
    found = arm(outcome(), gone(lr_scale=0.5), outcome(2))
    assert [run.seed for run in found.replicates] == [5, 7]
    assert found.seeds == [5, 6, 7]
    (record,) = found.diverged
    assert record.model_dump() == {
        "seed": 6,
        "lr_scale": 0.5,
        "round": 1,
        "epoch": 3,
        "lr": 0.4,
        "loss": None,
        "history": {
            "train_loss": (1.0, 0.75),
            "validation_accuracy": (0.5, 1.0),
            "test_accuracy": (0.25, 0.5),
        },
    }


def test_sizes_are_those_of_the_replicates_that_finished():
    found = arm(gone(round_macs=(7,)), outcome(size=(60, 50, 40), round_macs=(70, 40)))
    assert (found.parameters, found.nonzero, found.macs) == (60, 50, 40)
    assert (found.rounds, found.training_macs) == (2, EPOCHS * 110)


def test_where_all_diverged_sizes_are_those_of_what_diverged(tmp_path):
    found = arm(gone(), gone(Divergence(1, 1e6, 1e30)))
    assert (found.parameters, found.nonzero, found.macs) == (100, 80, 1000)
    assert (found.replicates, len(found.diverged)) == ((), 2)
    write_result(tmp_path / "arms/l1/weight_rewind.json", found)
    back = read_arm(tmp_path, "l1", "weight_rewind")
    assert (back.replicates, back.diverged) == ((), found.diverged)


def test_an_arm_says_what_its_plan_was():
    found = arm(outcome())
    assert (found.method, found.schedule) == ("l1", "weight_rewind")
    assert (found.start, found.curve) == ("rewound", "replay")
    assert (found.epochs, found.steps_per_epoch) == (EPOCHS, STEPS)
    assert found.environment == ENVIRONMENT


def test_an_arm_is_scored_last_and_selected():
    outcomes = [outcome(seed, lr_scale=scale) for seed, scale in ((0, 1.0), (1, 0.5))]
    found = arm(*outcomes)
    assert [(one.seed, one.lr_scale) for one in found.replicates] == [(5, 1.0), (6, 0.5)]
    for replicate, one in zip(found.replicates, outcomes, strict=True):
        for name in ("last", "selected"):
            for split in LABELS:
                got = getattr(getattr(replicate, name), split)
                assert got == beside_dense(one.logits[name], split)


def test_the_history_of_an_arm_is_that_of_its_run():
    found = arm(outcome()).replicates[0].history
    assert found.train_loss == (1.0, 0.75, 0.5)
    assert found.validation_accuracy == (0.5, 1.0, 0.5)
    assert found.test_accuracy == (0.25, 0.5, 0.75)


@pytest.mark.parametrize(
    ("validation", "chosen"),
    [
        ((0.2, 0.8, 0.5, 0.6), 2),
        ((0.2, 0.8, 0.5, 0.8), 4),
        ((0.0, 0.0, 0.0, 0.0), 4),
        ((0.9, 0.8, 0.7, 0.6), 1),
    ],
)
def test_the_selected_epoch_is_the_best_on_validation_the_later_of_two(validation, chosen):
    test = (0.9, 0.8, 0.9, 0.7)
    found = arm(outcome(history=history(validation, test))).replicates[0]
    assert found.selected.epoch == chosen
    assert (found.test_best.epoch, found.test_best.accuracy) == (3, 0.9)


def test_without_validation_images_the_last_epoch_is_selected():
    bare = Outcome(logits(("last", "selected"), splits=["test"]), 1, 1, 1, history([np.nan] * 3))
    found = arm(bare).replicates[0]
    assert found.selected.epoch == 3
    assert found.history.validation_accuracy is None
    assert found.last.validation is found.selected.validation is None
    assert found.last.test["accuracy"] is not None


@pytest.mark.parametrize("seed", range(5))
def test_the_selected_epoch_is_that_whose_network_training_kept(seed):
    """Two rooms choose: the run, which network to keep, and the score, which epoch to name."""
    accuracies = np.random.default_rng(seed).integers(0, 4, 12) / 4
    kept = History()
    for epoch, accuracy in enumerate(accuracies, 1):
        run = SimpleNamespace(
            epoch=epoch,
            rates=Rates(np.ones(12), np.ones(12), 1),
            data=SimpleNamespace(validation=None, test=None),
            accuracy=lambda images, value=float(accuracy): value,
            result=SimpleNamespace(state_dict=lambda epoch=epoch: {"at": torch.tensor(epoch)}),
        )
        kept.add(run, loss=0.0)
    found = arm(outcome(history=kept.columns())).replicates[0]
    assert found.selected.epoch == kept.selected["at"] == found.test_best.epoch


def test_an_arm_that_retrains_once_costs_its_epochs():
    found = arm(outcome(size=(1, 1, 1000)), outcome(size=(1, 1, 1001)))
    assert (found.rounds, found.training_macs) == (1, EPOCHS * 1000)


def test_an_arm_of_several_rounds_costs_its_epochs_in_each():
    """Three epochs at 4000 + 2000 and 3000 + 1000 MACs, the mean of two replicates."""
    outcomes = [
        outcome(size=(1, 1, 2000), round_macs=(4000, 2000)),
        outcome(size=(1, 1, 1000), round_macs=(3000, 1000)),
    ]
    found = arm(*outcomes)
    assert (found.rounds, found.macs) == (2, 1500)
    assert found.training_macs == 3 * 5000


def test_the_points_of_an_adaptive_arm_are_those_of_the_mean_scale():
    found = arm(outcome(lr_scale=1.0), outcome(lr_scale=0.5)).points
    assert found.step == (0, 1, 2, 3, 4, 5)
    assert found.lr == pytest.approx([0.75 * lr for lr in RATES.lr], rel=1e-12)
    assert found.momentum == tuple(RATES.momentum)
    assert arm(outcome()).points.lr == tuple(RATES.lr)


@pytest.mark.parametrize("steps", [1, 2, 7, POINTS, POINTS + 1, POINTS + 2, 5000])
def test_points_are_spaced_evenly_from_the_first_step_to_the_last(steps):
    rates = Rates(np.arange(steps) / steps, np.arange(steps) / 7, 1)
    found = points(rates)
    assert len(found.step) == min(steps, POINTS + 1)
    assert (found.step[0], found.step[-1]) == (0, steps - 1)
    gaps = set(np.diff(found.step).tolist())
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert found.lr == tuple(rates.lr[list(found.step)])
    assert found.momentum == tuple(rates.momentum[list(found.step)])


def test_a_result_is_read_back_as_it_was_written(tmp_path):
    found = arm(outcome(0), outcome(1))
    write_result(tmp_path / "arms" / "l1" / "weight_rewind.json", found)
    back = read_arm(tmp_path, "l1", "weight_rewind")
    assert back.model_dump(exclude={"replicates", "points"}) == found.model_dump(
        exclude={"replicates", "points"}
    )
    for one, other in zip(back.replicates, found.replicates, strict=True):
        assert one.last.test == pytest.approx(other.last.test, abs=5e-7)
        assert one.history == other.history


def test_an_arm_agrees_with_the_dense_network_of_its_own_replicate():
    """Each has the logits of one dense network: it agrees with that and not with the other."""
    dense = [outcome(seed, ["final"]) for seed in (3, 4)]
    ours = [outcome(seed) for seed in (3, 4)]
    runs = arm_result("l1", "s", PLAN, ours, LABELS, 5, ENVIRONMENT, dense).replicates
    assert [run.last.test["agreement"] for run in runs] == [1.0, 1.0]
    crossed = arm_result("l1", "s", PLAN, ours, LABELS, 5, ENVIRONMENT, dense[::-1]).replicates
    assert crossed[0].last.test["agreement"] < 1


def test_images_are_counted_by_class_and_by_confidence():
    """Labels 1, 0, 1, 1; predicted 1, 1, 0, 1: none of class 0 and two of class 1 are right."""
    sure = np.array([[0.0, 1000], [0, 1000], [1000, 0], [0, 1000]], np.float32)
    splits = {"validation": np.zeros((2, 2), np.float32), "test": sure}
    found = arm(Outcome({"last": splits, "selected": splits}, 1, 1, 1, history())).replicates[0]
    assert found.class_correct == (0, 2)
    assert (found.bins.images, found.bins.correct) == ((0,) * 14 + (4,), (0,) * 14 + (2,))
    assert found.bins.confidence == pytest.approx([0.0] * 14 + [4.0])


def test_how_far_an_arm_moved_and_the_size_of_its_file_are_recorded():
    runs = [outcome(0, moved=Moved(0.5, 0.25), file_bytes=10), outcome(1, file_bytes=13)]
    found = arm(*runs, gone())
    assert [(run.distance, run.sign_flips) for run in found.replicates] == [
        (0.5, 0.25),
        (None,) * 2,
    ]
    assert found.file_bytes == 12
    assert arm(gone()).file_bytes is None
