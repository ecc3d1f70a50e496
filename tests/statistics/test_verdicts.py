import math

import pytest

from stages.statistics.estimates import Estimate, estimate
from stages.statistics.verdicts import Levels, verdict, verdicts

# sd 1 and n = 4: half the 95 % interval is 1.5912 (t = 3.182446), of the 90 % one 1.1767 (2.353363)
CASES = {
    "above 0, beyond the margin": (2.0, 0.5, "better"),
    "below 0, beyond the margin": (-2.0, 0.5, "worse"),
    "spans 0": (1.5, 0.5, "undecided"),
    "inside the margin": (0.0, 1.2, "same"),
    "nearly inside the margin": (0.0, 1.17, "undecided"),
    "above 0, yet inside the margin": (1.6, 3.3, "same"),
    "above 0, the 90 % interval alone inside the margin": (1.6, 2.8, "same"),
    "above 0, the 90 % interval not inside the margin": (1.6, 2.7, "better"),
    "no margin: nothing is the same": (0.0, 0.0, "undecided"),
}


@pytest.mark.parametrize(("mean", "margin", "expected"), CASES.values(), ids=CASES)
def test_the_rule_by_hand(mean, margin, expected):
    assert verdict(Estimate(mean, 1.0, 4, math.nan, math.nan), margin, Levels()) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9.0], "undecided"),
        ([2.0, 2.0], "undecided"),
        ([0.0, 0.0], "undecided"),
        ([2.0, 2.0, 2.0], "better"),
        ([0.1, 0.1, 0.1], "same"),
        ([0.0, 0.0, 0.0], "same"),
        ([2.0, 2.1], "better"),
    ],
)
def test_without_spread_three_replicates_are_needed(values, expected):
    assert verdict(estimate(values, 0.95), 0.5, Levels()) == expected


def test_levels_widen_the_intervals():
    # t(3, .995) = 5.840909, half of it 2.92; t(3, .99) = 4.540703, half of it 2.27
    strict = Levels(difference=0.01, equivalence=0.01)
    assert verdicts([2.9, 2.95], 1.0, 4, 0.5, strict).tolist() == ["undecided", "better"]
    assert verdicts(0.0, 1.0, 4, [2.25], strict).tolist() == ["undecided"]
    assert verdicts(0.0, 1.0, 4, [2.28], strict).tolist() == ["same"]


@pytest.mark.parametrize("mean", [0.3, 1.2, 1.7, 2.5])
def test_the_other_way_round_the_verdict_is_mirrored(mean):
    mirrored = {"better": "worse", "worse": "better"}
    ahead, behind = verdicts([mean, -mean], 1.0, 4, 0.5, Levels()).tolist()
    assert behind == mirrored.get(ahead, ahead)
