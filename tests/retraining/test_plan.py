from dataclasses import replace

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.retraining.plan import FILE, Plan, load_plan, rewound_file, save_plan, scaled
from stages.retraining.technique import Technique
from stages.schedules.rates import Rates

RATES = Rates(np.array([0.1, 0.3, 0.2, 1 / 3]), np.array([0.9, 0.85, 0.95, 0.9]), 2)
PLAN = Plan("final", "adaptive_linear", RATES, 20, scale=(0.5, 0.1 + 0.2, 1.0))
TECHNIQUES = [
    {"optimizer": {"kind": "adamw", "weight_decay": 0.1}},
    {"weight_decay": 0},
    {"label_smoothing": 0.1},
    {"trainable": ("norm", {"blocks": 2})},
    {"teacher": {"temperature": 1.0, "scale": "none"}},
    {"trainable": ("masked_lora", "norm")},
    {"teacher": {"weight": 1.0, "task": 1.0}},
    {"average": {"kind": "swa", "last": 1 / 3, "batchnorm": "reestimate"}},
    {"average": {"kind": "soup", "members": 2, "vary": {"factor": 3.0}, "rule": "greedy"}},
    {"repair": "batchnorm"},
    {"repair": "variance"},
    {"state": "fresh"},
    {"sharpness": {"rho": 0.1}},
    {"clip": 0.5},
]
REWOUND = Plan("rewound", "replay", RATES, 20, rewound_epoch=18)


def same(one, other):
    numbers = ("start", "curve", "dense_epochs", "rewound_epoch", "scale", "technique")
    return all(getattr(one, name) == getattr(other, name) for name in numbers) and (
        one.rates.steps_per_epoch == other.rates.steps_per_epoch
        and one.rates.lr.tobytes() == other.rates.lr.tobytes()
        and one.rates.momentum.tobytes() == other.rates.momentum.tobytes()
    )


@pytest.mark.parametrize("plan", [PLAN, REWOUND], ids=["adaptive", "rewound"])
def test_a_plan_comes_back_to_the_bit(plan, tmp_path):
    save_plan(tmp_path / "l1" / "arm", plan)
    assert same(load_plan(tmp_path / "l1" / "arm"), plan)


@pytest.mark.parametrize("keys", TECHNIQUES, ids=lambda keys: "-".join(keys))
def test_a_plan_with_keys_of_its_own_comes_back(keys, tmp_path):
    plan = replace(REWOUND, technique=Technique(**keys))
    save_plan(tmp_path, plan)
    assert same(load_plan(tmp_path), plan)
    assert plan.digest_of(0) != REWOUND.digest_of(0)


def test_the_file_of_an_arm_names_no_key_that_it_leaves_at_its_default(tmp_path):
    """A key that is added tomorrow changes no plan of today, so nothing trains again."""
    save_plan(tmp_path / "none", REWOUND)
    assert set(read_meta(tmp_path / "none" / FILE)) == {
        *("start", "curve", "steps_per_epoch", "dense_epochs", "rewound_epoch", "scale")
    }
    save_plan(tmp_path / "one", replace(REWOUND, technique=Technique(label_smoothing=0.1)))
    about = read_meta(tmp_path / "one" / FILE)
    assert about["label_smoothing"] == 0.1
    assert not about.keys() & (Technique.model_fields.keys() - {"label_smoothing"})


def test_equal_plans_are_equal_files(tmp_path):
    for name in ("one", "other"):
        save_plan(tmp_path / name, replace(PLAN))
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "other" / FILE).read_bytes()


def test_the_scale_of_a_replicate_is_1_unless_the_arm_is_adaptive():
    assert PLAN.adaptive
    assert [PLAN.scale_of(number) for number in range(3)] == [0.5, 0.1 + 0.2, 1.0]
    assert not REWOUND.adaptive
    assert REWOUND.scale_of(7) == 1.0


def test_a_scale_multiplies_learning_rates_and_nothing_else():
    half = scaled(RATES, 0.5)
    assert half.lr.tolist() == [0.05, 0.15, 0.1, 1 / 6]
    assert (half.momentum is RATES.momentum, half.steps_per_epoch) == (True, 2)
    assert scaled(RATES, 1.0).lr.tobytes() == RATES.lr.tobytes()


def test_the_rates_of_a_replicate_are_scaled_by_its_own():
    assert PLAN.rates_of(0).lr.tolist() == [0.05, 0.15, 0.1, 1 / 6]
    assert PLAN.rates_of(2).lr.tobytes() == REWOUND.rates_of(5).lr.tobytes() == RATES.lr.tobytes()


def test_the_digest_of_a_replicate_ignores_the_scales_of_others():
    more_seeds = replace(PLAN, scale=(*PLAN.scale, 0.7))
    others = replace(PLAN, scale=(0.9, PLAN.scale[1], 0.8))
    assert more_seeds.digest_of(1) == others.digest_of(1) == PLAN.digest_of(1)
    assert len({PLAN.digest_of(number) for number in range(3)}) == 3


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    "change",
    [
        {"start": "fresh"},
        {"curve": "linear"},
        {"rates": replace(RATES, lr=RATES.lr * (1 + 1e-15))},
        {"rates": replace(RATES, momentum=RATES.momentum[::-1])},
        {"rates": replace(RATES, lr=RATES.momentum, momentum=RATES.lr)},
        {"rates": replace(RATES, steps_per_epoch=4)},
        {"dense_epochs": 21},
        {"rewound_epoch": 18},
        {"scale": (0.6, 0.6, 1.0)},
        {"scale": ()},
    ],
    ids=lambda change: "-".join(change),
)
def test_the_digest_of_a_replicate_depends_on_all_that_it_reads(change, number):
    assert replace(PLAN, **change).digest_of(number) != PLAN.digest_of(number)


def test_the_digest_is_that_of_the_plan_read_back(tmp_path):
    save_plan(tmp_path, PLAN)
    assert load_plan(tmp_path).digest_of(1) == PLAN.digest_of(1)


def test_each_replicate_is_rewound_to_a_file_of_its_own(tmp_path):
    assert rewound_file(tmp_path, 3) == tmp_path / "rewound" / "replicate_3.safetensors"


def test_a_missing_plan_is_a_fault_that_names_it(tmp_path):
    with pytest.raises(Fault, match=r"/plan\.safetensors: no such file"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    "change", [{"steps_per_epoch": None}, {"scale": None}, {"start": None}, {"colour": "red"}]
)
def test_the_plan_of_another_version_is_a_fault(change, tmp_path):
    save_plan(tmp_path, PLAN)
    whole = {**read_meta(tmp_path / FILE), **change}
    meta = {name: value for name, value in whole.items() if value is not None}
    save_arrays(tmp_path / FILE, load_arrays(tmp_path / FILE), meta)
    line = rf"/plan\.safetensors: {next(iter(change))} is (missing|no known key); "
    with pytest.raises(Fault, match=line):
        load_plan(tmp_path)


def test_a_plan_without_rates_is_a_fault(tmp_path):
    save_plan(tmp_path, PLAN)
    save_arrays(tmp_path / FILE, {"lr": RATES.lr}, read_meta(tmp_path / FILE))
    with pytest.raises(Fault, match=r"plan\.safetensors: holds no learning rates and momenta$"):
        load_plan(tmp_path)
