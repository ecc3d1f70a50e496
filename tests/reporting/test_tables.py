import math

import pandas as pd

from stages.reporting.tables import as_csv, fixed, mean_sd
from stages.reporting.words import count, listed, momentum_in_brief, signed


def test_floats_have_fixed_decimals_and_no_value_is_empty():
    table = fixed(pd.DataFrame({"name": ["a", "b", "c"], "x": [1.5, math.nan, -0.0001]}))
    assert table["x"].tolist() == ["1.500", "", "0.000"]


def test_counts_stay_whole_where_some_are_missing():
    table = pd.DataFrame({"n": pd.array([4, None], dtype="Int64"), "x": [1.0, 2.0]})
    assert as_csv(table) == "n,x\n4,1.000\n,2.000\n"


def test_numbers_and_lists_read_as_in_print():
    assert [signed(x) for x in (0.254, -1.0, -0.001)] == ["+0.25", "−1.00", "0.00"]
    assert [listed(list(x)) for x in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
    assert [count(n, "epoch") for n in (1, 2)] == ["1 epoch", "2 epochs"]
    assert mean_sd(pd.Series([1.0, 2.0])) == "1.50 ± 0.71"
    assert mean_sd(pd.Series([math.nan])) == "–"


def test_a_cycle_of_momentum_falls_and_rises():
    assert momentum_in_brief([0.95, 0.85, 0.95]) == "0.95 → 0.85 → 0.95"
    assert momentum_in_brief([0.85, 0.95]) == "0.85 to 0.95"
    assert momentum_in_brief([0.9, 0.9]) == "0.9"
