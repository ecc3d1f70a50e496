"""A recipe as torch and torchvision have it."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import transforms

from stages.images.prepared import Prepared
from stages.images.settings import Augment
from stages.training.settings import Recipe


def optimizer(network: nn.Module, recipe: Recipe, lr: float) -> torch.optim.Optimizer:
    """Return torch's optimizer of that kind."""
    options = recipe.optimizer.model_dump(exclude={"kind"})
    if recipe.optimizer.kind == "adamw":
        betas = options.pop("momentum"), options.pop("beta2")
        return torch.optim.AdamW(network.parameters(), lr, betas, **options)
    return torch.optim.SGD(network.parameters(), lr, **options)


def loss(recipe: Recipe) -> Callable[[Tensor, Tensor], Tensor]:
    """Return torch's loss of logits and labels."""
    return partial(F.cross_entropy, label_smoothing=getattr(recipe.loss, "smoothing", 0.0))


def augmentation(data: Prepared, augment: Augment) -> list[Callable[[object], object]]:
    """Return torchvision's transforms of a picture, in the order in which ours are applied."""
    size = data.shape[1:]
    makers = {
        "resized_crop": lambda own: transforms.RandomResizedCrop(
            size, own.scale, own.ratio, antialias=False
        ),
        "crop": lambda own: transforms.RandomCrop(size, own.pad),
        "flip": lambda own: transforms.RandomHorizontalFlip(),
    }
    used = {name: own for name in makers if (own := getattr(augment, name)) is not None}
    return [makers[name](own) for name, own in used.items()]
