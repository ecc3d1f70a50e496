"""How far retraining moved a network from the weights that pruning left of the dense one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moved:
    """The relative distance of two networks, and the fraction of weights that changed sign."""

    distance: float
    sign_flips: float


def moved(left: Mapping[str, np.ndarray], trained: Mapping[str, np.ndarray]) -> Moved:
    """Compare trained parameters with the dense ones that pruning left, by name, of equal shapes.

    distance = ||trained - left||_2 / ||left||_2, and sign_flips is the part of the entries, zero
    in neither, whose signs differ; both over all parameters together. What was pruned takes no
    part: removed filters have no entry, and weights behind a mask are zero in both. The reference
    is the dense network whatever an arm started from, so that an arm that rewinds or starts fresh
    is told by how far it ends from there. 0.0 where there is nothing to compare.
    """
    pairs = [(left[name].astype(np.float64), trained[name]) for name in sorted(left)]
    lost = sum(float(np.square(after - before).sum()) for before, after in pairs)
    whole = sum(float(np.square(before).sum()) for before, _ in pairs)
    signs = [np.sign(before) * np.sign(after) for before, after in pairs]
    compared = sum(int(np.count_nonzero(product)) for product in signs)
    flipped = sum(int((product < 0).sum()) for product in signs)
    return Moved(math.sqrt(lost / whole) if whole else 0.0, flipped / compared if compared else 0.0)
