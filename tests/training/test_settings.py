import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.training.settings import Recipe


def recipe(**keys):
    return parse(Recipe, {"batch_size": 8, **keys}, "train.recipe")


def test_by_default_it_is_sgd_and_cross_entropy():
    plain = recipe()
    assert plain.optimizer.model_dump() == {
        "kind": "sgd",
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    assert plain.loss.model_dump() == {"kind": "cross_entropy"}
    assert plain.augment.used() == []


def test_adamw_has_torchs_defaults_but_no_decay():
    optimizer = recipe(optimizer={"kind": "adamw"}).optimizer
    assert (optimizer.momentum, optimizer.beta2, optimizer.eps) == (0.9, 0.999, 1e-8)
    assert optimizer.weight_decay == 0


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"momentum": 0.9}, "momentum is no known key; valid: augment, batch_size, clip, decayed,"),
        ({"label_smoothing": 0.1}, "label_smoothing is no known key; valid: augment, batch_size"),
        ({"optimizer": {"kind": "adam"}}, "optimizer.kind is 'adam'; did you mean 'adamw'? valid:"),
        ({"optimizer": {"momentum": 0.9}}, "optimizer.kind is missing"),
        ({"optimizer": {"kind": "sgd", "beta2": 0.9}}, "optimizer.beta2 is no known key; valid:"),
        ({"optimizer": {"kind": "adamw", "eps": 0}}, "optimizer.eps is 0; it should be greater"),
        ({"optimizer": {"kind": "sgd", "momentum": 1}}, "optimizer.momentum is 1; it should be le"),
        ({"loss": {"kind": "hinge"}}, "loss.kind is 'hinge'; valid: cross_entropy, label_smoothin"),
        ({"loss": {"kind": "label_smoothing"}}, "loss.smoothing is missing"),
        ({"loss": {"kind": "label_smoothing", "smoothing": 1}}, "loss.smoothing is 1; it should"),
    ],
)
def test_a_fault_names_the_key_and_what_is_allowed(keys, line):
    with pytest.raises(Fault) as fault:
        recipe(**keys)
    assert f"{fault.value}".startswith(f"params.yaml: train.recipe.{line}")
