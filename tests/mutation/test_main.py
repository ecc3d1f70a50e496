import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("mutmut", reason="needs the extra `mutation`")

from tests.mutation.__main__ import Room, app, draw

NAMES = [f"stages.training.step.x_f__mutmut_{number}" for number in range(50)]


def test_a_sample_is_the_same_every_time_whatever_the_order_of_the_files():
    drawn = draw(NAMES, 20)
    assert drawn == draw(NAMES[::-1], 20)
    assert len(set(drawn)) == 20
    assert set(drawn) < set(NAMES)
    assert drawn != sorted(NAMES)[:20]


@pytest.mark.parametrize("count", [None, 50, 60])
def test_all_are_tried_where_a_sample_has_room_for_all(count):
    assert draw(NAMES, count) == sorted(NAMES)


def test_every_room_is_mutated():
    settings = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["mutmut"]
    folders = {Path(pattern).parts[1] for pattern in settings["only_mutate"]}
    assert folders == {room.path.name for room in Room}


def test_an_unknown_room_is_refused_before_anything_runs():
    done = CliRunner().invoke(app, ["trainin"])
    assert done.exit_code == 2
    assert "'trainin'" in done.output
