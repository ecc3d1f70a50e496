import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.replicates.settings import Compute, Seeds


@pytest.mark.parametrize("threads", [1025, 100_000, 10**12])
def test_threads_that_take_a_machine_down_are_refused(threads):
    assert parse(Compute, {"threads": 1024}, "compute").threads == 1024
    with pytest.raises(Fault) as fault:
        parse(Compute, {"threads": threads}, "compute")
    line = f"params.yaml: compute.threads is {threads}; it should be less than or equal to 1024"
    assert str(fault.value) == line


@pytest.mark.parametrize("seeds", [0, 10_001, 10**9])
def test_replicates_without_end_are_refused(seeds):
    assert parse(Seeds, 10_000, "seeds") == 10_000
    with pytest.raises(Fault, match=rf"^params\.yaml: seeds is {seeds}; it should be .* equal to "):
        parse(Seeds, seeds, "seeds")
