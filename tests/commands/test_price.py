import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from stages.commands import price
from stages.commands.layout import in_bytes
from stages.commands.price import app
from stages.pipeline.files import write_json
from stages.pipeline.params import read_yaml
from stages.runner.times import duration

ROOT = Path(__file__).parents[2]
PARTS = {"train": 40, "validation": 4, "test": 8}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with prepared images and the default settings, of small batches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(price, "ENOUGH_SECONDS", 0.0)
    Path("data/prepared").mkdir(parents=True)
    Path("data/weights").mkdir()
    Path("data/weights/none").touch()
    chance = np.random.default_rng(0)
    for part, count in PARTS.items():
        images = chance.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
        np.save(f"data/prepared/{part}_images.npy", images)
        np.save(f"data/prepared/{part}_labels.npy", np.arange(count) % 10)
    about = {"channels": 1, "height": 8, "width": 8, "classes": list("0123456789")}
    about |= {"mean": [0.5], "std": [0.5], **PARTS}
    write_json(Path("data/prepared/description.json"), about)
    tree = deepcopy(read_yaml(ROOT / "stages/presets/default.yaml"))
    tree["train"]["recipe"]["batch_size"] = 8
    return tree


def run(tree):
    Path("params.yaml").write_text(yaml.safe_dump(tree))
    return CliRunner().invoke(app, [])


def test_a_study_is_priced_by_network_in_total_and_by_what_one_more_costs(project):
    done = run(project)
    assert done.exit_code == 0, done.output
    assert re.search(r"^dense .*\n^l1 .*\n^random ", done.stdout, re.MULTILINE)
    assert re.search(r"The study: about \d+ s of computing, .* of files", done.stdout)
    assert "One more costs: an arm, under 2 methods" in done.stdout


def test_what_needs_training_is_priced_as_the_dense_network(project):
    everywhere = {"kind": "global", "ratio": 0.5}
    project["prune"]["methods"]["l1"]["allocation"] = everywhere
    done = run(project)
    assert done.exit_code == 0, done.output
    assert "l1: priced as the dense network; " in done.stderr


def test_images_must_be_prepared(project):
    Path("data/prepared/description.json").unlink()
    done = run(project)
    assert "run `dvc repro prepare`" in str(done.exception)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_durations_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"), [(10, "0 kB"), (2345, "2.35 kB"), (4.5e7, "45 MB"), (6e9, "6 GB")]
)
def test_bytes_have_a_unit(number, said):
    assert in_bytes(number) == said
