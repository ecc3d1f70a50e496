"""A replicate's result is kept under the digest of the code and data that made it, and no other."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.fault import Fault
from stages.files import load_arrays, save_rows, write_json
from stages.guard import guarded
from stages.params.compute import Compute
from stages.params.model import Model
from stages.params.recipe import Recipe
from stages.schedules.curve import Curve
from stages.train import replicate
from stages.training.dense import Dense
from stages.training.loop import Run

DVC = """
stages:
  train:
    cmd: python -m stages.train
    deps: [data/prepared, net.py]
    params: [seed]
    outs: [models/dense, models/environments/dense.json]
"""
NET = """
from torch import nn

def net(num_classes, in_channels):
    return nn.Sequential(nn.Flatten(), nn.Linear(16 * in_channels, 4), nn.ReLU(), nn.Linear(4, 2))
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.delenv("AFTERPRUNE_STATE", raising=False)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text("seed: 0\n")
    Path("net.py").write_text(NET)
    write_data(0)


def write_data(seed):
    chance = np.random.default_rng(seed)
    counts = {"train": 12, "validation": 4, "test": 16}
    for part, count in counts.items():
        images = chance.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8)
        labels = chance.integers(0, 2, count)
        save_rows(f"data/prepared/{part}_images.npy", np.uint8, images.shape, [images])
        save_rows(f"data/prepared/{part}_labels.npy", np.int64, labels.shape, [labels])
    about = {"channels": 1, "height": 4, "width": 4, "mean": [0.5], "std": [0.3], **counts}
    write_json("data/prepared/description.json", {"classes": ["0", "1"], **about})


def train(during=lambda: None):
    dense = Dense(
        Model(code="net.py", factory="net"),
        Recipe(batch_size=4),
        Curve(np.full(6, 0.1), np.full(6, 0.9), 3),
        Compute(device="cpu"),
        seed=0,
    )
    with guarded("train") as stage:
        folder = stage.output("models/dense")
        environment = stage.output("models/environments/dense.json")
        during()
        replicate(stage, dense, 1, folder, environment, 0)
    return load_arrays("models/dense/final/replicate_0.safetensors")


def equal(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("edit", "undo"),
    [
        (
            lambda: Path("net.py").write_text(NET.replace("ReLU", "Tanh")),
            lambda: Path("net.py").write_text(NET),
        ),
        (lambda: write_data(1), lambda: write_data(0)),
    ],
    ids=["code", "data"],
)
def test_an_edit_that_is_undone_leaves_no_result_under_the_wrong_digest(edit, undo, tmp_path):
    """Replicates begin one after another, and read code and data when they begin."""
    expected = train()
    (tmp_path / ".state").rename(tmp_path / "elsewhere")
    with pytest.raises(Fault, match="changed while it ran"):
        train(edit)
    undo()
    assert equal(train(), expected)


def test_a_finished_replicate_is_taken_as_it_is(tmp_path):
    expected = train()
    (done,) = (path for path in (tmp_path / ".state").iterdir() if path.is_dir())
    (done / "history.csv").write_text("mark\n")
    assert equal(train(), expected)
    assert Path("models/dense/history/replicate_0.csv").read_text() == "mark\n"


def test_images_edited_in_place_while_it_trains_leave_no_result(monkeypatch):
    """Images are mapped: such an edit reaches a run that has begun, a replaced file does not."""
    expected = train()
    shutil.rmtree(".state")
    images = np.load("data/prepared/train_images.npy", mmap_mode="r+")
    before = images.copy()
    advance = Run.advance

    def edited(run):
        images[:] = 255 - before
        return advance(run)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "advance", edited)
        with pytest.raises(Fault, match=r"train_images\.npy changed while it ran"):
            train()
    images[:] = before
    assert equal(train(), expected)
