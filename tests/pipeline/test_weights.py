"""Trained weights that a person brings, through real DVC."""

import pytest
import torch

from stages.networks.building import Spec, build
from stages.pipeline.files import read_json
from tests.pipeline.project import ran

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 10, 1)

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def test_a_network_is_pruned_and_retrained_without_a_dense_epoch(project):
    folder = project.folder / "data/raw"
    torch.save(build(SPEC, 3).state_dict(), folder / "net.pt")
    project.set("train.weights", "data/raw/net.pt")
    told = project.dvc("repro", code=255)
    assert "retrain.schedules.weight_rewind rewinds the weights to epoch 1, of which" in told
    (folder / "net.pt").unlink()
    torch.save(build(SPEC, 3).state_dict(), project.folder / "data/weights/final.pt")
    torch.save(build(SPEC, 4).state_dict(), project.folder / "data/weights/epoch_1.pt")
    project.set("train.weights", "data/weights")
    assert {"train", "checkpoint", "retrain@l1-onecycle"} <= ran(project.dvc("repro"))
    dense = read_json(project.folder / "reports/dense.json")
    assert (dense["given"], dense["epochs"]) == (True, 3)
    one, other = dense["replicates"]
    assert one["test"] == other["test"]
    page = (project.folder / "reports/README.md").read_text()
    assert "the dense network is one, that of train.weights" in page.lower()
    (project.folder / "data/weights/final.pt").write_bytes(b"")
    assert "no weights that can be read" in project.dvc("repro", code=255)
