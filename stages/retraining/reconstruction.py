"""Local reconstruction: a pruned network trained block by block to the dense one's activations.

Without labels (Wagner et al. 2025, "Free Lunch", arXiv 2510.14444).
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf, isfinite
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from stages.evaluation.cost import cost
from stages.images.normalise import normalise
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.networks.compact import Kept
from stages.pipeline.files import load_arrays, read_meta
from stages.replicates.precision import placed
from stages.replicates.seeds import RECONSTRUCT, stream_seed
from stages.replicates.settings import Compute
from stages.retraining.blocks import blocks, marked, on_kept, parts, seen
from stages.retraining.objective import Reconstruct
from stages.schedules.rates import Values
from stages.schedules.shapes import linear, rise_and_fall
from stages.training.errors import explained

WARMUP = 0.1
"""The part of the steps in which the learning rate rises."""
Losses = dict[str, tuple[float, float]]
"""The mean squared error of each block before and after, in the order of training."""


@dataclass(frozen=True)
class Pair:
    """A pruned network and the dense one, both in evaluation mode, and what pruning left.

    `masks` are those of weights, by parameter name; `kept` the indices of what was cut.
    """

    network: nn.Module
    dense: nn.Module
    masks: Mapping[str, Tensor]
    kept: Kept


def prepare(
    network: nn.Module,
    files: tuple[Path, Path],
    data: Prepared,
    settings: Reconstruct,
    draw: tuple[int, int],
    compute: Compute,
) -> float:
    """Reconstruct a pruned network in place before it is retrained; return what that cost.

    `files` are those of the dense network and of what pruning kept, `draw` the replicate's seed and
    the round of pruning. The cost is in forward MACs per training image.
    """
    dense = placed(compact.load(files[0]), data.mean.device, compute).eval()
    arrays = load_arrays(files[1])
    by_weight = read_meta(files[1])["granularity"] == "weight"
    masks = {name: torch.from_numpy(mask).to(data.mean.device) for name, mask in arrays.items()}
    pair = Pair(
        *(network.eval(), dense),
        masks=masks if by_weight else {},
        kept={} if by_weight else compact.nested(arrays),
    )
    images, chance = calibration(data, settings.samples, *draw)
    with explained("objective.samples"):
        losses = reconstruct(pair, images, settings, chance)
    macs = cost(network, data.shape).macs, cost(dense, data.shape).macs
    return spent(len(losses), settings, len(images) / len(data.train.labels), macs)


def reconstruct(
    pair: Pair, images: Tensor, settings: Reconstruct, chance: torch.Generator
) -> Losses:
    """Train every block of the pruned network in place; return the losses.

    In the order in which images pass them, each is trained to the mean squared error to the dense
    network's output, on the channels that are left of it. Its inputs are those that the pruned
    network gives by then (sparse) or the dense one's (dense). Statistics of BatchNorm stay.
    """
    losses, marks = Losses(), marked(pair.dense, pair.kept)
    for name in blocks(pair.network, images):
        block = pair.network.get_submodule(name)
        ours, given = seen(pair.network, name, images), seen(pair.dense, name, images)
        places = seen(marks, name, images[:1])
        source, target = (
            on_kept(whole, mark, part.shape, name)
            for whole, mark, part in zip(given, places, ours, strict=True)
        )
        inputs = ours[0] if settings.inputs == "sparse" else source
        masks = {key: pair.masks.get(f"{name}.{key}") for key, _ in block.named_parameters()}
        held = {key: mask for key, mask in masks.items() if mask is not None}
        losses[name] = fit_block(block, (inputs, target), held, settings, chance)
    return losses


def calibration(
    data: Prepared, samples: int, seed: int, number: int
) -> tuple[Tensor, torch.Generator]:
    """Return training images, normalised and not augmented, and the chance that orders them.

    `number` is that of the round of pruning, from 1.
    """
    chance = torch.Generator().manual_seed(stream_seed(seed, RECONSTRUCT, number))
    index = torch.randperm(len(data.train.labels), generator=chance)[:samples]
    pixels = data.train.images[index.to(data.train.images.device)].to(data.mean.device)
    return normalise(pixels, data.mean, data.std), chance


def fit_block(
    block: nn.Module,
    pairs: tuple[Tensor, Tensor],
    masks: Mapping[str, Tensor],
    settings: Reconstruct,
    chance: torch.Generator,
) -> tuple[float, float]:
    """Train a block by AdamW without decay; return its loss before and after.

    `pairs` are its inputs and what it should give, `masks` those of its weights, by name in the
    block. Pruned weights are 0 and get no gradient, so that they stay. Where the loss does not fall
    the block is left as it was.
    """
    named = {name: p for name, p in block.named_parameters() if p.requires_grad}
    before, loss = copy.deepcopy(block.state_dict()), partial(_loss, block, *pairs)
    first = loss()
    if not named:
        return first, first
    optimizer = torch.optim.AdamW(named.values(), weight_decay=0.0)
    batches = list(_batches(len(pairs[0]), settings, chance))
    for rows, lr in zip(batches, learning_rates(len(batches), settings.lr), strict=True):
        given, target = (whole[rows.to(whole.device)] for whole in pairs)
        mse_loss(block(given), target).backward()  # type: ignore[no-untyped-call]
        for name in masks.keys() & named.keys():
            if (gradient := named[name].grad) is not None:
                gradient.mul_(masks[name])
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
        optimizer.zero_grad()
    last = loss()
    if last < first:
        return first, last
    block.load_state_dict(before)
    return first, first


def learning_rates(steps: int, peak: float) -> Values:
    """Return a learning rate a step: linear, up in the first tenth and down to 0."""
    levels = (0.0, peak, 0.0)
    return rise_and_fall(steps, WARMUP * steps, steps, levels, (linear, linear))


def spent(blocks: int, settings: Reconstruct, share: float, macs: tuple[int, int]) -> float:
    """Return what a reconstruction cost: forward MACs per training image, a step's counted once.

    It saw a `share` of the training images; `macs` are those of the pruned and the dense network. A
    pass trains every block once. For each block both networks go forward, and each block is judged
    twice: a third of a step each time.
    """
    ours, theirs = macs
    forward = blocks * (ours + theirs) + 2 * ours
    return share * (settings.passes * ours + forward / 3)


def _batches(images: int, settings: Reconstruct, chance: torch.Generator) -> Iterator[Tensor]:
    for _ in range(settings.passes):
        yield from parts(torch.randperm(images, generator=chance), settings.batch_size)


def _loss(block: nn.Module, given: Tensor, target: Tensor) -> float:
    """Return the mean squared error over all images; infinite where it is no number."""
    with torch.no_grad():
        pairs = zip(parts(given), parts(target), strict=True)
        total = sum(float(mse_loss(block(x.clone()), y)) * len(x) for x, y in pairs)
    return total / len(given) if isfinite(total) else inf
