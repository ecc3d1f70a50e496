"""From the entry of params.yaml that is the dense run's schedule to its arm."""

from stages.pipeline.params import parse
from stages.schedules.settings import DENSE_SCHEDULE


def test_the_dense_run_starts_anew():
    arm = parse(DENSE_SCHEDULE, {"curve": "step", "milestones": [3, 6], "momentum": 0.8}).arm()
    assert (arm.start, arm.curve, arm.momentum) == ("fresh", "step", 0.8)
    assert list(arm.options["milestones"]) == [3, 6]
    assert not arm.options.keys() & {"curve", "momentum"}
    assert parse(DENSE_SCHEDULE, {"curve": "cosine"}).arm().momentum is None
