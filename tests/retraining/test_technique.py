"""The keys of an arm beside its schedule: what they hold, and the recipe that they make."""

import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.retraining.settings import SCHEDULE
from stages.retraining.technique import Technique
from stages.training.settings import Recipe

SHARED = Recipe(
    batch_size=8,
    optimizer={"kind": "sgd", "momentum": 0.8, "weight_decay": 1e-3, "nesterov": True},
    loss={"kind": "label_smoothing", "smoothing": 0.2},
    augment={"flip": {}},
)


def technique(**keys):
    return parse(SCHEDULE, {"curve": "constant", **keys}).as_technique()


def test_an_arm_without_keys_has_the_recipe_of_all():
    assert technique() == Technique()
    assert technique().changed() == {}
    assert technique().recipe(SHARED) == SHARED


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"weight_decay": 0}, {"optimizer": {"weight_decay": 0.0}}),
        ({"weight_decay": 0.02}, {"optimizer": {"weight_decay": 0.02}}),
        ({"label_smoothing": 0}, {"loss": {"kind": "cross_entropy"}}),
        ({"label_smoothing": 0.1}, {"loss": {"kind": "label_smoothing", "smoothing": 0.1}}),
    ],
)
def test_a_number_stands_in_for_that_of_the_recipe_and_leaves_the_rest(keys, expected):
    found, shared = technique(**keys).recipe(SHARED).model_dump(), SHARED.model_dump()
    assert found["loss"] == expected.get("loss", shared["loss"])
    assert found["optimizer"] == {**shared["optimizer"], **expected.get("optimizer", {})}
    assert (found["batch_size"], found["augment"]) == (8, shared["augment"])


def test_an_optimizer_replaces_the_rule_and_leaves_decay_to_the_recipe_and_momentum_to_the_curve():
    found = technique(optimizer={"kind": "adamw", "beta2": 0.99}).recipe(SHARED).optimizer
    assert found.model_dump() == {
        "kind": "adamw",
        "beta2": 0.99,
        "eps": 1e-8,
        "weight_decay": 1e-3,
    }
    with pytest.raises(Fault, match=r"optimizer\.momentum is no known key"):
        technique(optimizer={"kind": "sgd", "momentum": 0.5})


def test_weight_decay_is_that_of_whichever_optimizer():
    found = technique(optimizer={"kind": "adamw"}, weight_decay=0.3).recipe(SHARED).optimizer
    assert (found.kind, found.weight_decay) == ("adamw", 0.3)
    found = technique(optimizer={"kind": "adamw", "weight_decay": 0}).recipe(SHARED).optimizer
    assert found.weight_decay == 0


def test_an_optimizer_without_weight_decay_is_refused_one():
    class Plain:
        kind, model_fields = "plain", {"kind": None}

    shared = SHARED.model_copy(update={"optimizer": Plain()})
    with pytest.raises(Fault, match="weight_decay: the optimizer 'plain' has none"):
        technique(weight_decay=0.1).recipe(shared)


@pytest.mark.parametrize(
    ("members", "vary", "factors"),
    [
        (2, "seed", [1, 1]),
        (3, {"factor": 2.0}, [0.5, 1, 2]),
        (2, {"factor": 4.0}, [0.25, 4]),
        (5, {"factor": 9.0}, [1 / 9, 1 / 3, 1, 3, 9]),
    ],
)
def test_peaks_of_a_soup_are_spread_evenly_by_their_logarithm(members, vary, factors):
    found = technique(average={"kind": "soup", "members": members, "vary": vary})
    assert found.soup.factors == pytest.approx(factors)
    assert found.members == members


def test_any_other_arm_has_one_member():
    assert [technique(**keys).members for keys in ({}, {"average": {"kind": "ema"}})] == [1, 1]


CHANGED = [
    {"optimizer": {"kind": "sgd", "nesterov": False, "weight_decay": 0.0}},
    {"optimizer": {"kind": "sgd", "nesterov": True, "weight_decay": None}},
    {"weight_decay": 0.0},
    {"weight_decay": 1 / 3, "label_smoothing": 0.0},
    {"trainable": ["norm", {"blocks": 2}]},
    {"trainable": [{"masked_lora": 4, "alpha": 32.0}, "head"]},
    {"teacher": {"weight": 0.5, "temperature": 2.0, "scale": "temperature_squared"}},
    {"teacher": {"weight": 1.0, "task": 0.0, "temperature": 2.0, "scale": "none"}},
]


@pytest.mark.parametrize(
    ("shared", "own", "expected"),
    [(None, None, None), (1.0, None, 1.0), (1.0, 0.5, 0.5), (None, 0.5, 0.5), (1.0, 0, None)],
)
def test_a_length_of_the_gradient_stands_in_for_that_of_the_recipe_and_0_is_none(
    shared, own, expected
):
    found = technique(clip=own).recipe(SHARED.model_copy(update={"clip": shared}))
    assert found.clip == expected


@pytest.mark.parametrize("keys", CHANGED)
def test_keys_that_are_not_at_their_defaults_come_back_from_values_of_json(keys):
    found = technique(**keys)
    assert found.changed() == keys
    assert Technique(**found.changed()) == found
