from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.retraining.plan import FILE, load_plan, rewound_file, teacher_file
from stages.retraining.planning import Pruning, plan_arm, write_arm
from stages.retraining.settings import SCHEDULE
from stages.schedules.dense import DenseRates

STEPS, EPOCHS = 3, 4
DENSE = DenseRates(np.linspace(0.1, 0.01, 10 * STEPS), np.linspace(0.9, 0.8, 10 * STEPS), STEPS)
PRUNING = Pruning(2.5, distances=(0.3, 0.1, 0.9), fractions=(0.25, 0.25, 0.25))


def plan(pruning=PRUNING, **schedule):
    return plan_arm(parse(SCHEDULE, schedule), EPOCHS, DENSE, pruning)


def test_fine_tuning_starts_from_the_final_weights_at_the_last_rate():
    found = plan(curve="constant")
    assert (found.start, found.curve, found.dense_epochs) == ("final", "constant", 10)
    assert (found.rewound_epoch, found.scale, found.adaptive) == (None, (), False)
    assert found.rates.lr.tolist() == [DENSE.last] * EPOCHS * STEPS
    assert found.rates.momentum.tolist() == [0.8] * EPOCHS * STEPS
    assert (found.rates.epochs, found.rates.steps_per_epoch) == (EPOCHS, STEPS)


def test_a_peak_puts_the_dense_runs_learning_rates_in_its_proportion():
    """The dense run falls from 0.1 to 0.01: at a peak of 0.02 all are a fifth."""
    assert plan(curve="constant", peak=0.02).rates.lr == pytest.approx(0.002)
    assert plan(curve="constant", lr="max", peak=0.02).rates.lr.max() == 0.02
    replayed = plan(curve="replay", peak=0.02)
    np.testing.assert_allclose(replayed.rates.lr, DENSE.lr[6 * STEPS :] / 5, rtol=1e-14)
    assert replayed.rates.momentum.tolist() == DENSE.momentum[6 * STEPS :].tolist()
    assert plan(curve="stretch", peak=1e-3).rates.lr.max() == 1e-3


def test_a_soup_has_the_rates_of_all_its_members_in_turn():
    soup = {"kind": "soup", "members": 3, "vary": {"factor": 2.0}}
    one, found = (plan(curve="linear", max_lr=0.1, average=a) for a in (None, soup))
    assert found.rates.lr.tolist() == [f * lr for f in (0.5, 1, 2) for lr in one.rates.lr]
    assert found.rates.momentum.tolist() == one.rates.momentum.tolist() * 3
    assert (found.rates.epochs, found.epochs, one.epochs) == (3 * EPOCHS, 3 * EPOCHS, EPOCHS)


def test_the_members_of_a_soup_share_the_epochs_of_each_round():
    """Two members in rounds of 2 and 3 epochs train for 4 and 6, each round at the same factors."""
    soup = {"kind": "soup", "members": 2, "vary": {"factor": 2.0}}
    found = plan(
        replace(PRUNING, rounds=2), curve="constant", lr=0.1, epochs={"total": 5}, average=soup
    )
    rounds = [found.of_round(number) for number in (1, 2)]
    assert [each.epochs for each in rounds] == [4, 6]
    for each in rounds:
        half = len(each.lr) // 2
        assert each.lr[:half] == pytest.approx(0.05)
        assert each.lr[half:] == pytest.approx(0.2)


def test_a_soup_rewinds_by_the_epochs_of_a_member():
    found = plan(curve="replay", start="rewound", average={"kind": "soup", "members": 2})
    assert (found.rewound_epoch, found.rates.epochs) == (6, 2 * EPOCHS)


def test_weight_rewinding_goes_back_by_its_budget_and_replays_the_rest():
    found = plan(curve="replay", start="rewound")
    assert (found.start, found.rewound_epoch) == ("rewound", 6)
    np.testing.assert_array_equal(found.rates.lr, DENSE.lr[6 * STEPS :])
    np.testing.assert_array_equal(found.rates.momentum, DENSE.momentum[6 * STEPS :])


@pytest.mark.parametrize(
    ("epochs", "expected"), [(None, 4), (7, 7), ("dense", 10), ("dense_macs", 25)]
)
def test_an_arm_may_have_a_budget_of_its_own(epochs, expected):
    assert plan(curve="constant", epochs=epochs).rates.epochs == expected


@pytest.mark.parametrize(
    ("total", "rounds", "expected"),
    [(8, 1, (8,)), (9, 3, (3, 3, 3)), (8, 3, (2, 3, 3)), (11, 4, (2, 3, 3, 3)), (3, 3, (1, 1, 1))],
)
def test_a_total_is_shared_among_the_rounds_in_whole_epochs(total, rounds, expected):
    found = plan(replace(PRUNING, rounds=rounds), curve="constant", epochs={"total": total})
    lengths = [found.of_round(number).epochs for number in range(1, rounds + 1)]
    assert tuple(lengths) == expected
    assert sum(lengths) == total == found.epochs * rounds


def test_each_round_of_a_total_has_the_whole_curve():
    several = replace(PRUNING, rounds=3)
    found = plan(several, curve="onecycle", epochs={"total": 8})
    for number, epochs in enumerate((2, 3, 3), 1):
        alone = plan(curve="onecycle", epochs=epochs).rates
        np.testing.assert_array_equal(found.of_round(number).lr, alone.lr)
        np.testing.assert_array_equal(found.of_round(number).momentum, alone.momentum)


@pytest.mark.parametrize("epochs", [{"total": 9}, {"total": 8}, 3])
def test_a_curve_that_never_restarts_is_one_over_all_rounds(epochs):
    several = replace(PRUNING, rounds=3)
    found = plan(several, curve="onecycle", epochs=epochs, restart="never")
    total = 8 if epochs == {"total": 8} else 9
    parts = [found.of_round(number) for number in (1, 2, 3)]
    whole = plan(curve="onecycle", epochs=total).rates
    np.testing.assert_array_equal(np.concatenate([part.lr for part in parts]), whole.lr)
    np.testing.assert_array_equal(np.concatenate([p.momentum for p in parts]), whole.momentum)
    assert [part.epochs for part in parts] == [2 if total == 8 else 3, 3, 3]
    assert found.epochs == pytest.approx(total / 3)


def test_after_one_pruning_there_is_nothing_to_restart():
    plain, never = (plan(curve="onecycle", restart=r) for r in ("per_round", "never"))
    assert never.digest_of(0) == plain.digest_of(0)


@pytest.mark.parametrize(("rounds", "epochs"), [(1, 6), (3, 2)])
def test_a_total_that_divides_is_the_plan_of_its_parts_to_the_byte(rounds, epochs, tmp_path):
    several = replace(PRUNING, rounds=rounds)
    for name, budget in (("total", {"total": 6}), ("each", epochs)):
        arm = plan(several, curve="scaled", epochs=budget)
        write_arm(tmp_path / name, arm, tmp_path, tmp_path, 0)
    assert (tmp_path / "total" / FILE).read_bytes() == (tmp_path / "each" / FILE).read_bytes()


def test_rounds_that_share_their_rates_are_read_back(tmp_path):
    found = plan(replace(PRUNING, rounds=3), curve="onecycle", epochs={"total": 8})
    write_arm(tmp_path, found, tmp_path, tmp_path, 0)
    read = load_plan(tmp_path)
    assert (read.rounds, read.digest_of(0)) == ((2, 3, 3), found.digest_of(0))
    np.testing.assert_array_equal(read.of_round(2).lr, found.of_round(2).lr)


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ({"curve": "constant", "epochs": {"total": 2}}, "is 2; with 3 rounds it should be 3 or"),
        (
            {"curve": "constant", "start": "rewound", "epochs": {"total": 8}},
            "is 8; as all rounds rewind to one epoch, it should be a multiple of 3",
        ),
    ],
)
def test_a_total_that_cannot_be_shared_is_a_fault(schedule, told):
    with pytest.raises(Fault, match=told):
        plan(replace(PRUNING, rounds=3), **schedule)


def test_rounds_of_a_rewound_arm_go_back_by_their_share():
    found = plan(replace(PRUNING, rounds=3), curve="replay", start="rewound", epochs={"total": 12})
    assert (found.rewound_epoch, found.rates.epochs) == (6, 4)


def test_an_adaptive_arm_has_a_scale_for_each_replicate():
    """Distance d and share s give d / sqrt(s), at least T/E and at most 1 (Zimmer 2023)."""
    found = plan(curve="adaptive_linear")
    assert found.adaptive
    assert found.scale == (0.3 / sqrt(0.25), 0.4, 1.0)


def test_the_budget_is_the_lower_bound_of_an_adaptive_scale():
    assert plan(curve="adaptive_linear", epochs=10).scale == (1.0, 1.0, 1.0)
    assert plan(curve="adaptive_linear", epochs=1).scale == (0.6, 0.2, 1.0)


def test_more_replicates_change_nothing_for_those_there_were():
    more = Pruning(2.5, (*PRUNING.distances, 0.2), (*PRUNING.fractions, 0.5))
    for curve in ("adaptive_linear", "scaled"):
        before, after = plan(curve=curve), plan(more, curve=curve)
        assert [before.digest_of(i) for i in range(3)] == [after.digest_of(i) for i in range(3)]


def test_a_distance_without_its_fraction_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        plan(replace(PRUNING, fractions=(0.25,)), curve="adaptive_linear")


def test_rewinding_further_than_the_dense_run_is_long_is_a_fault():
    with pytest.raises(Fault, match="epochs: 11"):
        plan(curve="constant", start="rewound", epochs=11)


@pytest.fixture
def checkpoints(tmp_path):
    """A folder of the checkpoints of three replicates at two epochs."""
    for number in range(3):
        for epoch in (5, 6):
            file = tmp_path / "checkpoints" / f"replicate_{number}" / f"epoch_{epoch:04d}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".safetensors").write_text(f"{number} at {epoch}")
    return tmp_path / "checkpoints"


def content(folder):
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}


def test_a_rewound_arm_has_the_checkpoint_of_every_replicate(checkpoints, tmp_path):
    found = plan(curve="replay", start="rewound")
    write_arm(tmp_path / "arm", found, checkpoints, tmp_path, 3)
    assert load_plan(tmp_path / "arm").digest_of(0) == found.digest_of(0)
    files = [rewound_file(tmp_path / "arm", number) for number in range(3)]
    assert [file.read_text() for file in files] == ["0 at 6", "1 at 6", "2 at 6"]
    assert len(content(tmp_path / "arm")) == 4


@pytest.mark.parametrize("schedule", [{"curve": "constant"}, {"curve": "replay"}])
def test_any_other_arm_is_its_plan_alone(schedule, checkpoints, tmp_path):
    write_arm(tmp_path / "arm", plan(**schedule), checkpoints, tmp_path, 3)
    assert content(tmp_path / "arm") == {"plan.safetensors"}


@pytest.mark.parametrize("keys", [{"teacher": {}}, {"objective": "reconstruct"}])
def test_an_arm_that_learns_from_it_has_the_dense_network_of_every_replicate(
    keys, checkpoints, tmp_path
):
    dense = tmp_path / "dense"
    dense.mkdir()
    for number in range(3):
        (dense / f"replicate_{number}.safetensors").write_text(f"dense {number}")
    write_arm(tmp_path / "arm", plan(curve="constant", **keys), checkpoints, dense, 3)
    files = [teacher_file(tmp_path / "arm", number) for number in range(3)]
    assert [file.read_text() for file in files] == ["dense 0", "dense 1", "dense 2"]
    assert len(content(tmp_path / "arm")) == 4


KEYS = [
    {"optimizer": {"kind": "adamw"}},
    {"weight_decay": 0.1},
    {"label_smoothing": 0.1},
    {"trainable": "norm"},
    {"teacher": {}},
    {"average": {"kind": "ema"}},
    {"average": {"kind": "soup", "members": 2}},
    {"trainable": "masked_lora"},
    {"peak": 0.05},
    {"repair": "variance"},
    {"repair": "batchnorm"},
    {"state": "kept"},
    {"sharpness": {}},
    {"objective": "reconstruct"},
    {"clip": 0.5},
]


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: next(iter(keys)))
def test_a_key_of_one_arm_changes_its_plan_and_that_of_no_other(keys, checkpoints, tmp_path):
    arms = {"one": {"curve": "constant"}, "other": {"curve": "onecycle", "start": "fresh"}}
    changed = {**arms, "one": {**arms["one"], **keys}}
    for study, schedules in (("before", arms), ("after", changed)):
        for name, schedule in schedules.items():
            write_arm(tmp_path / study / name, plan(**schedule), checkpoints, tmp_path, 0)
    files = {
        name: [(tmp_path / study / name / FILE).read_bytes() for study in ("before", "after")]
        for name in arms
    }
    assert files["other"][0] == files["other"][1]
    assert files["one"][0] != files["one"][1]


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("curve", ["constant", "onecycle", "scaled", "adaptive_linear"])
def test_an_objective_alone_has_a_plan_without_steps(curve, rounds, tmp_path):
    several = replace(PRUNING, rounds=rounds)
    found = plan(several, curve=curve, objective="reconstruct", epochs=0)
    assert [found.of_round(number + 1).epochs for number in range(rounds)] == [0] * rounds
    write_arm(tmp_path, found, tmp_path, tmp_path, 0)
    read = load_plan(tmp_path)
    assert (read.epochs, read.digest_of(0)) == (0, found.digest_of(0))


def test_an_arm_that_keeps_momentum_has_the_last_checkpoint_and_a_rewound_one_its_own():
    assert plan(curve="constant", state="kept").checkpoint_epoch == 10
    assert plan(curve="constant").checkpoint_epoch is None
    for state in ("fresh", "kept", None):
        assert plan(curve="constant", start="rewound", state=state).checkpoint_epoch == 6


@pytest.mark.parametrize(("start", "state"), [("rewound", "kept"), ("final", "fresh")])
def test_a_state_that_the_start_has_anyway_changes_no_plan(start, state):
    plain, said = (plan(curve="constant", start=start, state=s) for s in (None, state))
    assert said.digest_of(0) == plain.digest_of(0)
    assert said.technique.changed() == {}
