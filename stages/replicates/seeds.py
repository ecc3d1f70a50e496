"""Streams of chance, and the seed that each gives to torch's own generator."""

import numpy as np

DENSE, PRUNE, RETRAIN = 0, 1, 2
"""Streams of chance; the rounds of iterative pruning retrain on RETRAIN, RETRAIN + 1, and so on."""
ADAPT = 1_000_000
"""The stream that adapters are drawn from, by round: beyond those of all rounds."""
RECONSTRUCT = 2_000_000
"""The stream that reconstruction draws its images from, by round: beyond those of all rounds."""


def stream_seed(seed: int, stream: int, epoch: int) -> int:
    """Return the seed of torch's generator for a position in a stream: 63 bits.

    `seed` is that of the replicate; `epoch` counts epochs, or the rounds of pruning.
    """
    return int(np.random.SeedSequence([seed, stream, epoch]).generate_state(1, np.uint64)[0] >> 1)
