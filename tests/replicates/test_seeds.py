from itertools import product

import pytest

from stages.replicates.seeds import DENSE, PRUNE, RETRAIN, stream_seed


@pytest.mark.parametrize(
    ("position", "seed"),
    [
        ((0, DENSE, 0), 7896617691693857887),
        ((3, RETRAIN, 1), 4404663168949438663),
        ((2, RETRAIN + 1, 1), 4072317246181023107),
    ],
)
def test_a_position_has_the_seed_it_always_had(position, seed):
    """Numbers of numpy's SeedSequence; another seed would be another study."""
    assert stream_seed(*position) == seed


def test_no_two_positions_share_a_seed():
    positions = list(product(range(20), (DENSE, PRUNE, RETRAIN, RETRAIN + 1), range(50)))
    assert len({stream_seed(*position) for position in positions}) == len(positions)
