"""Epochs of twenty steps against a loop that uses nothing of ours: torch's optimizers and losses.

Twenty, for with few steps a counter that stops after some of them goes unseen.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stages.schedules.rates import Rates
from stages.training.settings import Recipe

EPOCHS, STEPS, BATCH = 2, 20, 4
IMAGES = STEPS * BATCH + 3
SGD = {"kind": "sgd", "nesterov": True, "weight_decay": 1e-3}
ADAMW = {"kind": "adamw", "beta2": 0.9, "eps": 1e-6, "weight_decay": 0.1}


@dataclass(frozen=True)
class Case:
    recipe: dict[str, Any]
    lr: float
    optimizer: Callable[..., torch.optim.Optimizer]
    smoothing: float = 0.0


def torch_sgd(parameters, lr, momentum):
    return torch.optim.SGD(parameters, lr, momentum, weight_decay=1e-3, nesterov=True)


def torch_adamw(parameters, lr, momentum):
    return torch.optim.AdamW(parameters, lr, betas=(momentum, 0.9), eps=1e-6, weight_decay=0.1)


CASES = {
    "sgd": Case({"optimizer": SGD, "augment": {"crop": {"pad": 1}, "flip": {}}}, 0.1, torch_sgd),
    "adamw": Case(
        {"optimizer": ADAMW, "loss": {"kind": "label_smoothing", "smoothing": 0.2}},
        0.01,
        torch_adamw,
        smoothing=0.2,
    ),
}


def batches(images, seed, stream, epoch, augmented):
    """Yield the indices and the images of each step, cropped and flipped one by one."""
    chance = np.random.default_rng([seed, stream, epoch])
    order = chance.permutation(IMAGES)[: STEPS * BATCH].reshape(STEPS, BATCH)
    if not augmented:
        yield from ((index, images[index]) for index in order)
        return
    top, left = chance.integers(0, 3, (2, STEPS, BATCH))
    flip = chance.random((STEPS, BATCH)) < 0.5
    for step, index in enumerate(order):
        batch = []
        for place, image in enumerate(index):
            y, x = top[step, place], left[step, place]
            pixels = F.pad(images[image], (1, 1, 1, 1))[:, y : y + 6, x : x + 6]
            batch.append(pixels.flip(-1) if flip[step, place] else pixels)
        yield index, torch.stack(batch)


def plain_epoch(net, optimizer, data, case, rates, draws):
    """Train one epoch as any tutorial does; return its losses."""
    losses = []
    augmented = "augment" in case.recipe
    for (index, images), (lr, momentum) in zip(
        batches(data.train.images, *draws, augmented), rates, strict=True
    ):
        out = net((images / 255 - data.mean) / data.std)
        loss = F.cross_entropy(out, data.train.labels[index], label_smoothing=case.smoothing)
        optimizer.zero_grad()
        loss.backward()
        group = optimizer.param_groups[0]
        group["lr"] = lr
        group |= {"betas": (momentum, 0.9)} if "betas" in group else {"momentum": momentum}
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", CASES)
def test_epochs_of_twenty_steps_are_those_of_a_plain_loop(name, begin, network, data, image_set):
    case = CASES[name]
    step = np.arange(EPOCHS * STEPS)
    rates = Rates(case.lr / (1 + 0.1 * step), 0.9 - 0.005 * step, STEPS)
    data = replace(data, train=image_set(IMAGES, 7))
    recipe = Recipe(batch_size=BATCH, **case.recipe)
    net = network(dropout=0)
    run = begin(recipe=recipe, data=data, rates=rates, network=network(dropout=0))
    optimizer = case.optimizer(net.parameters(), rates.lr[0], rates.momentum[0])
    for epoch in range(EPOCHS):
        part = slice(epoch * STEPS, (epoch + 1) * STEPS)
        pairs = zip(rates.lr[part], rates.momentum[part], strict=True)
        losses = plain_epoch(net, optimizer, data, case, pairs, (run.seed, run.stream, epoch))
        assert run.advance() == pytest.approx(np.mean(losses), rel=1e-4)
    ours, theirs = run.network.state_dict(), net.state_dict()
    assert ours["1.num_batches_tracked"] == EPOCHS * STEPS
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-5)
