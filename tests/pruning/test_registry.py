import subprocess
import sys

import pytest

from stages.fault import Fault
from stages.params.options import own_options
from stages.pruning.registry import ALLOCATIONS, CRITERIA, find


def test_the_registries_import_without_torch():
    code = "import sys, stages.pruning.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_own_options_are_read_from_the_signatures():
    assert set(own_options(CRITERIA["filter"]["taylor"])) == {"gate", "momentum"}
    assert set(own_options(ALLOCATIONS["filter"]["per_stage"])) == {"ratios", "skip"}
    assert own_options(ALLOCATIONS["weight"]["n_m"])["m"][1] == 4
    assert own_options(CRITERIA["filter"]["l1"]) == {}


def test_an_unknown_name_is_a_fault_that_lists_the_known():
    with pytest.raises(Fault, match="criterion: 'magnitude' is none for a filter; allowed: l1, l2"):
        find(CRITERIA, "filter", "magnitude", "criterion")
