"""A replicate's result is kept under the digest of the code and data that made it, and no other."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.dense.run import DenseRun
from stages.networks.settings import Model
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, save_rows, write_json
from stages.pipeline.guard import guarded
from stages.replicates.replicate import Outputs
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates
from stages.train import replicate
from stages.training.loop import Run
from stages.training.settings import Recipe

DVC = """
stages:
  train:
    cmd: python -m stages.train
    deps: [data/prepared, net.py]
    params: [seed]
    outs: [models/dense, models/outcomes/dense, models/environments/dense.json]
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
    monkeypatch.setattr("stages.pipeline.guard.check_code", lambda module, model_code: "code")
    Path("params.yaml").write_text("seed: 0\nmodel: {code: net.py}\n")
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


def train(during=lambda: None, epochs=2):
    dense = DenseRun(
        Model(code="net.py", factory="net"),
        Recipe(batch_size=4),
        Rates(np.full(3 * epochs, 0.1), np.full(3 * epochs, 0.9), 3),
        Compute(device="cpu"),
        seed=0,
    )
    with guarded("train") as stage:
        outputs = Outputs(
            stage.output("models/dense"),
            stage.output("models/outcomes/dense"),
            stage.output("models/environments/dense.json"),
        )
        during()
        replicate(stage, dense, 1, outputs, 0)
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
    ids=["network", "data"],
)
def test_an_edit_that_is_undone_leaves_no_result_under_the_wrong_digest(edit, undo, tmp_path):
    """Replicates begin one after another, and read code and data when they begin."""
    expected = train()
    (tmp_path / ".state").rename(tmp_path / "elsewhere")
    with pytest.raises(Fault, match="changed while it ran"):
        train(edit)
    undo()
    assert equal(train(), expected)


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
