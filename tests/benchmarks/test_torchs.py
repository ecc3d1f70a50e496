import pytest
import torch
from torch import nn

from stages.training.settings import Recipe
from tests.benchmarks import torchs


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        (
            {"kind": "sgd", "nesterov": True, "weight_decay": 0.01},
            torch.optim.SGD,
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        ),
        (
            {"kind": "adamw", "momentum": 0.8, "beta2": 0.99},
            torch.optim.AdamW,
            {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-8, "weight_decay": 0.0},
        ),
    ],
)
def test_torchs_optimizer_has_the_recipes_options(given, kind, expected):
    made = torchs.optimizer(nn.Linear(2, 2), Recipe(batch_size=8, optimizer=given), 0.1)
    assert type(made) is kind
    assert expected.items() <= made.param_groups[0].items()


def test_torchs_loss_smooths_as_the_recipe_does():
    smooth = Recipe(batch_size=8, loss={"kind": "label_smoothing", "smoothing": 0.2})
    logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    plain, smoothed = (torchs.loss(r)(logits, labels) for r in (Recipe(batch_size=8), smooth))
    assert (smoothed - plain).item() == pytest.approx(0.1 * 2)


def test_torchvisions_transforms_come_in_our_order(tiny):
    augment = {"flip": {}, "crop": {"pad": 2}, "resized_crop": {"scale": [0.5, 1]}}
    recipe = Recipe(batch_size=8, augment=augment)
    made = torchs.augmentation(tiny().data, recipe.augment)
    names = [type(transform).__name__ for transform in made]
    assert names == ["RandomResizedCrop", "RandomCrop", "RandomHorizontalFlip"]
    assert made[0].scale == (0.5, 1.0)
    assert (made[1].size, made[1].padding) == ((8, 8), 2)
