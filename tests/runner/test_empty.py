"""What a run of stages that do nothing takes."""

import pytest

from stages.pipeline.fault import Fault
from stages.runner import empty


def test_the_start_is_what_the_first_stages_took_beyond_the_others():
    """From the second on one ends every 0.5 s; the first half of four ended after 7 s."""
    assert empty.opening([6.0, 7.0, 7.5, 8.0]) == pytest.approx((6.0, 0.5))


def test_a_run_that_breaks_off_is_told(monkeypatch):
    monkeypatch.setattr(empty, "_ends", lambda *_: [1.0])
    with pytest.raises(Fault, match="a run of 12 empty stages ended after 1 of them"):
        empty.empty_run("json", 1)


@pytest.mark.slow
def test_empty_stages_run_in_a_folder_of_their_own():
    opening, each = empty.empty_run("json", 2)
    assert opening > 0
    assert each > 0
