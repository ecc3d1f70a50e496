"""What the makers of pruning tools and papers tell people to do, each as a curve by its own name.

Recipes state numbers for the network that they were written for. Here a learning rate is a share of
the dense run's largest one, and an epoch a share of the arm's budget, so that a recipe means the
same after any dense run. All start from the trained weights (`start: final`). The budget that each
asks for is given as a share of E, the epochs of the dense run; an arm's `epochs` sets it.

What a recipe changes besides is not part of its curve, and said where it is known: a teacher, an
average of weights, an optimizer are keys of the arm.
"""

from itertools import pairwise
from typing import Annotated

import numpy as np
from pydantic import Field

from stages.schedules import decays, recorded, shapes
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Values

Share = Annotated[float, Field(gt=0, le=1)]


def asp(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """NVIDIA ASP: the dense run again, with its hyperparameters; budget E.

    "Exactly as those used to obtain the trained model" (NVIDIA/apex, contrib/sparsity/README.md);
    torchao says the same of 2:4 sparsity.
    """
    return recorded.stretched(dense.lr, total_steps)


def modelopt(
    total_steps: int, steps_per_epoch: int, dense: DenseRates, *, share: Share = 0.5
) -> Values:
    """NVIDIA ModelOpt for vision (FastNAS): the dense schedule at 0.5 to 1 of its rates; budget E.

    "1x training epochs, same or smaller (0.5x-1x) learning rate" (NVIDIA/Model-Optimizer,
    docs/source/guides/3_pruning.rst); share 1 is `asp`.
    """
    return share * recorded.stretched(dense.lr, total_steps)


def minitron(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """NVIDIA ModelOpt for language models: linear from a fifth of the peak to a tenth of that.

    1e-4 to 1e-5 after a warm-up of 100 steps, at about 50 % compression (NVIDIA/Model-Optimizer,
    examples/pruning/README.md). It has a teacher too. Its runs are long: here the warm-up is at
    most a hundredth of the steps.
    """
    joint = min(100, total_steps // 100)
    levels = (0.0, dense.max / 5, dense.max / 50)
    both = (shapes.linear, shapes.linear)
    return shapes.rise_and_fall(total_steps, joint, total_steps, levels, both)


def torch_pruning(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Torch-Pruning on CIFAR: a tenth of the peak, times 0.1 at 0.6 and 0.8; budget E/2.

    0.01, milestones 60 and 80 of 100 epochs, after 200 dense ones at 0.1 (VainF/Torch-Pruning,
    reproduce/main.py).
    """
    return _steps(total_steps, 0.1 * dense.max, (0.6, 0.8))


def torch_pruning_yolo(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Torch-Pruning's author on detectors: the dense schedule at a tenth; no budget is given.

    "Smaller learning rate (original_lr x 0.1)" (VainF/Torch-Pruning, issues 147, 296 and 389).
    """
    return 0.1 * recorded.stretched(dense.lr, total_steps)


def torch_pruning_vit(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Torch-Pruning on ViT-B: cosine from a tenth of the peak, no warm-up; budget E.

    AdamW, 1.5e-4 at batch 2,048, 300 epochs (VainF/Torch-Pruning, examples/transformers). The tenth
    is that of 3e-3 at batch 4,096, scaled by the batch.
    """
    return decays.cosine(total_steps, steps_per_epoch, dense, max_lr=0.1 * dense.max)


def isomorphic_resnet(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Isomorphic pruning, ResNets: a tenth of the peak, times 0.1 at 0.3, 0.6 and 0.9; 1.1 E.

    0.04 at batch 1,024 and every 30 of 100 epochs (VainF/Isomorphic-Pruning, scripts/finetuning/
    resnet101_3.8G.sh): a tenth of 0.1 at batch 256, scaled by the batch.
    """
    return _steps(total_steps, 0.1 * dense.max, (0.3, 0.6, 0.9))


def isomorphic_deit(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Isomorphic pruning, DeiT: cosine from a quarter of the peak, no warm-up; budget E.

    5e-4 at batch 2,048 (VainF/Isomorphic-Pruning, scripts/finetuning/deit_4.2G.sh). Its teacher is
    another, larger network.
    """
    return decays.cosine(total_steps, steps_per_epoch, dense, max_lr=0.25 * dense.max)


def isomorphic_convnext(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Isomorphic pruning, ConvNeXt: cosine from the peak, no warm-up; budget E.

    2e-3 at batch 2,048, with an average of the weights, decay 0.9999 (VainF/Isomorphic-Pruning,
    scripts/finetuning/convnext_4.2G_official_script.sh).
    """
    return decays.cosine(total_steps, steps_per_epoch, dense)


def cap(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """CAP, one-shot: linear from a tenth of the peak to a hundredth; budget 0.07 E.

    1e-4 to 1e-5 in 20 epochs, AdamW (IST-DASLab/CAP, research/recipes/one_shot+finetune).
    """
    return _linear(total_steps, 0.1 * dense.max, 0.01 * dense.max)


def cap_gradual(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """CAP, gradual: a saw-tooth of five linear falls from half the peak to a hundredth; E/3.

    5e-4 to 1e-5 every 20 of 100 epochs, AdamW, while the sparsity rises (IST-DASLab/CAP,
    research/recipes/gradual_pruning); here all is pruned before.
    """
    ends = [total_steps * tooth // 5 for tooth in range(6)]
    lengths = [end - start for start, end in pairwise(ends)]
    return np.concatenate([_linear(n, 0.5 * dense.max, 0.01 * dense.max) for n in lengths])


def nni(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """NNI's examples: a tenth of the peak, times 0.1 at 0.5 and 0.75; budget E.

    SGD at 0.01 with a fresh optimizer (microsoft/nni, issue 3844).
    """
    return _steps(total_steps, 0.1 * dense.max, (0.5, 0.75))


def ice(
    total_steps: int, steps_per_epoch: int, dense: DenseRates, *, share: Share = 0.625
) -> Values:
    """ICE-Pruning: a small rate that falls to a quarter as more is pruned; an epoch a round.

    base - delta/(1 + (x/(2(1 - p) - x))^50) of 1e-3 and 7.5e-4 while the share x is kept of a
    network that ends at 1 - p (gicLAB/ICE-Pruning, ablation_study): `share` of the base is 1
    before and 1 - 0.75/2 at the end, where x = 1 - p. The base is a hundredth of the peak here. ICE
    freezes layers, and adds the divergence from a teacher to the loss: `teacher: {weight: 1, task:
    1, temperature: 2, scale: none}`.
    """
    return np.full(total_steps, share * 0.01 * dense.max)


def pfec(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """PFEC: a hundredth of the peak throughout; budget E/4.

    0.001, for a fourth of the original epochs, 40 on CIFAR-10 (Li et al. 2017, section 4).
    """
    return np.full(total_steps, 0.01 * dense.max)


def _steps(total_steps: int, peak: float, drops: tuple[float, ...]) -> Values:
    """Return a peak, times 0.1 at these fractions of the steps.

    Of the steps, not the epochs: in a run of few epochs a drop would round down to its first step.
    """
    at = [int(fraction * total_steps) for fraction in drops]
    return peak * shapes.drops(total_steps, at, 0.1)


def _linear(total_steps: int, first: float, last: float) -> Values:
    """Return a straight fall that reaches `last` one step after its end."""
    both = (shapes.constant, shapes.linear)
    return shapes.rise_and_fall(total_steps, 0, total_steps, (first, first, last), both)
