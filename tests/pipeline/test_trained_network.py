"""The README's way from a folder of images and trained weights to ONNX, at a small scale."""

import json
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from PIL import Image

from stages.pipeline.files import read_json
from tests.pipeline.project import ROOT, Project, copy_tree, environment

CLASSES = ["blue tit", "rook", "siskin"]
COUNTS = {"train": 60, "test": 12}
EPOCHS = 2
STEPS = 60
SCHEDULES = "finetune", "weight_rewind", "onecycle"
NETWORK = '''"""A network of two convolutions."""

from torch import nn


def my_network(num_classes, in_channels):
    first = nn.Conv2d(in_channels, 8, 3, padding=1, bias=False)
    second = nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(
        first, nn.BatchNorm2d(8), nn.ReLU(), second, nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes),
    )
'''

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def blocks() -> list[str]:
    """Return the fenced blocks of the README's section, in order."""
    text = (ROOT / "README.md").read_text()
    (section,) = re.findall(r"^## Bring a trained network\n(.*?)^## ", text, re.S | re.M)
    return re.findall(r"^```\w*\n(.*?)^```", section, re.S | re.M)


def draw(folder: Path) -> None:
    """Write noisy images, each class with more of one colour."""
    chance = np.random.default_rng(0)
    for part, count in COUNTS.items():
        for index, name in enumerate(CLASSES):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 120, (32, 32, 3))
                pixels[..., index] += 100
                Image.fromarray(pixels.astype(np.uint8)).save(
                    folder / part / name / f"{number}.png"
                )


def read(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images [N, 3, 32, 32] with pixels from 0 to 1, and their classes [N]."""
    files = [sorted((folder / name).iterdir()) for name in CLASSES]
    pixels = np.stack([np.asarray(Image.open(file)) for each in files for file in each])
    labels = torch.arange(len(CLASSES)).repeat_interleave(len(files[0]))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, labels


def trained(file: Path, images: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the weights of the network after a training of one's own."""
    torch.manual_seed(0)
    network = runpy.run_path(str(file))["my_network"](len(CLASSES), 3)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    standard = (images - images.mean((0, 2, 3), keepdim=True)) / images.std((0, 2, 3), keepdim=True)
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(standard), labels).backward()
        optimizer.step()
    return network.state_dict()


@pytest.fixture
def project(tmp_path):
    """The project with a small study, and what a person brings: images, a network, its weights."""
    made = Project(tmp_path / "project", environment(tmp_path))
    copy_tree(made.folder)
    draw(made.folder / "my_images")
    (made.folder / "my_network.py").write_text(NETWORK)
    weights = trained(made.folder / "my_network.py", *read(made.folder / "my_images/train"))
    torch.save(weights, made.folder / "my_weights.pt")
    params = {**made.params(), "seeds": 2, "compute": {"device": "cpu", "threads": 1}}
    schedules = {name: params["retrain"]["schedules"][name] for name in SCHEDULES}
    params["retrain"] |= {"epochs": EPOCHS, "schedules": schedules}
    (made.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    made.run("git", "init", "--quiet")
    made.commit()
    return made


def follow(project: Project, lines: str) -> list[str]:
    """Run the lines of a block one by one and return what each said.

    `afterprune` is the one of the copy, not that of the environment.
    """
    typed = [line.replace("afterprune", "python -m stages.commands") for line in lines.splitlines()]
    return [project.run(*shlex.split(line, comments=True)) for line in typed]


def edit(project: Project, given: dict) -> None:
    """Set the keys that the README names and remove the schedule that it does."""
    for section, values in given.items():
        for key, value in values.items():
            project.set(f"{section}.{key}", value)
    schedules = project.params()["retrain"]["schedules"]
    schedules.pop("weight_rewind")
    project.set("retrain.schedules", schedules)


def test_the_example_of_the_readme_ends_with_an_onnx_file(project):
    bring, keys, answer = blocks()
    follow(project, bring)
    edit(project, yaml.safe_load(keys))
    _, advice, written = follow(project, answer)
    dense = read_json(project.folder / "reports/dense.json")
    assert dense["given"] is True
    assert min(one["test"]["accuracy"] for one in dense["replicates"]) > 0.9
    assert "afterprune export --method l1 --schedule" in advice
    target = project.folder / written.strip()
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == CLASSES
    images, labels = read(project.folder / "my_images/test")
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    arm = read_json(project.folder / "reports/arms/l1/onecycle.json")
    right = (logits.argmax(1) == labels.numpy()).mean()
    assert right == pytest.approx(arm["replicates"][0]["last"]["test"]["accuracy"])
