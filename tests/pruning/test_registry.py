import subprocess
import sys

import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.options import own_options
from stages.pruning.registry import ALLOCATIONS, CRITERIA, find


def test_registries_and_settings_import_without_torch():
    code = "import sys, stages.pruning.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_own_options_are_read_from_the_signatures():
    assert set(own_options(CRITERIA["filter"]["taylor"])) == {"gate", "momentum"}
    assert set(own_options(ALLOCATIONS["filter"]["per_stage"])) == {"ratios", "skip"}
    assert own_options(ALLOCATIONS["weight"]["n_m"])["m"][1] == 4
    assert own_options(CRITERIA["filter"]["l1"]) == {}


def test_an_unknown_name_is_a_fault_that_lists_the_known():
    line = "criterion: 'magnitude' is unknown for granularity filter; allowed: l1, l2"
    with pytest.raises(Fault, match=line):
        find(CRITERIA, "filter", "magnitude", "criterion")
