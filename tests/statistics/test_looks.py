import pytest
from scipy.stats import multivariate_normal, norm

from stages.statistics.looks import levels_at, look_levels, nominal, spent
from stages.statistics.verdicts import Levels

LOOKS = (6, 9, 12, 16)
FRACTIONS = [n / 16 for n in LOOKS]


def test_all_of_the_level_is_spent_at_the_end():
    assert spent(1, 0.05) == pytest.approx(0.05)
    # 2 - 2 * Phi(1.959964 / sqrt(.375)) = 2 - 2 * Phi(3.200608)
    assert spent(6 / 16, 0.05) == pytest.approx(0.0013714, abs=1e-6)


def test_the_levels_of_four_looks():
    found = look_levels(LOOKS, Levels())
    expected = (0.00137, 0.00845, 0.0203, 0.0408)
    assert [each.difference for each in found] == pytest.approx(expected, rel=3e-3)


def test_five_equal_looks_as_published():
    """Lan and DeMets's O'Brien-Fleming bounds of 2.5 % at each side (Reboussin et al. 2000)."""
    fractions = [k / 5 for k in range(1, 6)]
    spending = [2 * spent(t, 0.025) for t in fractions]
    bounds = [-norm.ppf(p / 2) for p in nominal(fractions, spending)]
    assert bounds == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)


def test_two_looks_against_the_bivariate_normal():
    first, last = nominal([0.5, 1.0], [spent(0.5, 0.05), 0.05])
    ends = [-norm.ppf(first / 2), -norm.ppf(last / 2)]
    joint = multivariate_normal(cov=[[1, 0.5**0.5], [0.5**0.5, 1]])
    inside = joint.cdf(ends, lower_limit=[-end for end in ends])
    assert inside == pytest.approx(0.95, abs=1e-5)


def test_a_study_without_looks_in_between_keeps_its_levels():
    (only,) = look_levels([12], Levels(0.05, 0.05))
    assert (only.difference, only.equivalence) == pytest.approx((0.05, 0.05))


def test_each_side_of_equivalence_spends_its_own_level():
    both = nominal(FRACTIONS, [spent(t, 0.1) for t in FRACTIONS])
    found = [each.equivalence for each in look_levels(LOOKS, Levels())]
    assert found == pytest.approx([p / 2 for p in both])
    assert max(found) < 0.05


def test_later_looks_are_less_strict():
    levels = [each.difference for each in look_levels((3, 4, 5, 8, 20), Levels())]
    assert levels == sorted(levels)


def test_a_planned_look_has_the_level_of_the_plan():
    for look, levels in zip(LOOKS, look_levels(LOOKS, Levels()), strict=True):
        assert levels_at(look, LOOKS, Levels()) == levels


def test_a_look_in_between_spends_what_is_due_by_then():
    """Eight of 16: looks at 6, 8 and 16 against the multivariate normal."""
    found = levels_at(8, (6, 16), Levels())
    first = spent(6 / 16, 0.05)
    ends = [-norm.ppf(p / 2) for p in (first, found.difference)]
    joint = multivariate_normal(cov=[[1, (6 / 8) ** 0.5], [(6 / 8) ** 0.5, 1]])
    crossed = 1 - joint.cdf(ends, lower_limit=[-end for end in ends])
    assert crossed == pytest.approx(spent(8 / 16, 0.05), abs=1e-5)
