"""Write a retrained network for use elsewhere: ONNX, TorchScript, or its tensors."""

import json
import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import nn

from stages.commands.places import DESCRIPTION
from stages.evaluation.outcome import DIVERGED
from stages.networks.compact import load
from stages.networks.exporting import MISSING, can_export, write_onnx
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json, replacing
from stages.pipeline.params import lookup, nearest, read_yaml, shown
from stages.training.divergence import Divergence

app = typer.Typer(add_completion=False)


class Format(StrEnum):
    """What `export` can write; state_dict is safetensors."""

    onnx = "onnx"
    torchscript = "torchscript"
    state_dict = "state_dict"


SUFFIX = {Format.onnx: "onnx", Format.torchscript: "pt", Format.state_dict: "safetensors"}


class Normalised(nn.Module):
    """The network behind the normalisation of its training images: takes pixels in [0, 1]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits [N, K] of images [N, C, H, W] with pixels from 0 to 1."""
        logits: torch.Tensor = self.network((images - self.mean) / self.std)
        return logits


@app.command()
def main(
    method: Annotated[str, typer.Option(help="Pruning method.")],
    schedule: Annotated[str, typer.Option(help="Retraining schedule.")],
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.onnx,
    replicate: Annotated[int, typer.Option(min=0, help="Which replicate.")] = 0,
    selected: Annotated[
        bool, typer.Option("--selected", help="The network selected on validation, not the last.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Where to write it.")] = None,
) -> None:
    """Write a retrained network that takes images with pixels from 0 to 1.

    ONNX has the names of the classes in its metadata, as JSON under `classes`. A state_dict holds
    the network's own tensors, without that normalisation.
    """
    folder = Path(f"models/retrained/{method}/{schedule}/replicate_{replicate}")
    source = folder / f"{'selected' if selected else 'last'}.safetensors"
    if (folder / DIVERGED).is_file():
        raise Fault(
            f"{folder}: this replicate {Divergence(**read_json(folder / DIVERGED))}, "
            "so there is no network to export"
        )
    if not source.is_file():
        _check_names(method, schedule)
        raise Fault(f"{source}: no such file; run `dvc repro retrain@{method}-{schedule}`")
    target = output or Path(f"{method}-{schedule}.{SUFFIX[format]}")
    export(source, read_json(DESCRIPTION), format, target)
    print(target)


def _check_names(method: str, schedule: str) -> None:
    """Raise a Fault for a name that params.yaml has not."""
    tree = read_yaml()
    methods = {**lookup(tree, "prune.methods"), **lookup(tree, "prune.iterative")}
    schedules = lookup(tree, "retrain.schedules")
    for option, name, known in (("--method", method, methods), ("--schedule", schedule, schedules)):
        if name not in known:
            raise Fault(f"{option} is {shown(name)}; {nearest(name, known)}")


def export(source: Path, about: Mapping[str, Any], format: Format, target: Path) -> None:
    """Write the network in the file `source` to `target`; `about` describes its images."""
    with replacing(target) as aside:
        if format is Format.state_dict:
            shutil.copyfile(source, aside)
            return
        network = Normalised(load(source), about["mean"], about["std"]).eval()
        images = torch.zeros(2, about["channels"], about["height"], about["width"])
        if format is Format.torchscript:
            torch.jit.save(torch.jit.trace(network, images), aside)  # type: ignore[no-untyped-call]
            return
        if not can_export():
            raise Fault(f"--format is 'onnx'; {MISSING}")
        classes = json.dumps(about["classes"], ensure_ascii=False)
        write_onnx(network, images, aside, {"classes": classes})


if __name__ == "__main__":
    run(app)
