"""What every pruning method would leave of the network, without training it."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer
from torch import nn

from stages.data.sources.raw import Form
from stages.data.sources.registry import SOURCES
from stages.evaluation.cost import layers
from stages.networks.building import Spec, build
from stages.pipeline.command import faults_in_one_line
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json
from stages.pipeline.params import PARAMS, parse
from stages.presets.preset import read_params
from stages.pruning.method import Method
from stages.pruning.prune import prune, widths_without_data
from stages.pruning.settings import Entry
from stages.pruning.step import apply
from stages.study.settings import Study

app = typer.Typer(add_completion=False)
DESCRIPTION = Path("data/prepared/description.json")
DENSE = "dense"
CONVENTION = (
    "MACs: multiply-accumulates of convolutions and linear layers for one image, one MAC per "
    "weight use, zeros included; biases, BatchNorm and pooling are not counted. Parameters: "
    "weights, biases and BatchNorm scales, no buffers. Nonzero: parameters less the zeros in "
    "convolution and linear weights."
)


@app.command()
def main(
    params: Annotated[Path, typer.Option(help="A params.yaml.")] = PARAMS,
    csv: Annotated[bool, typer.Option("--csv", help="Print every layer as CSV.")] = False,
) -> None:
    """Print parameters and MACs that each pruning method leaves, in total and by layer."""
    study: Study = parse(Study, read_params(params), file=params)
    network, shape = dense_network(study)
    tables, reasons = [table(DENSE, network, shape)], {}
    for name, entry in {**study.prune.methods, **study.prune.iterative}.items():
        try:
            tables.append(table(name, pruned_network(network, entry, shape), shape))
        except Fault as fault:
            reasons[name] = f"{fault}"
    rows = pd.concat(tables)
    if csv:
        rows.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(overview(rows).to_string(), CONVENTION, sep="\n\n")
    for name, reason in reasons.items():
        print(f"{name}: not known before training ({reason})", file=sys.stderr)


def dense_network(study: Study) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the network of a study and the shape of its images [C, H, W]."""
    form = SOURCES[study.data.source].form or prepared_form()
    model = study.model
    spec = Spec(model.code, model.factory, model.options, form.classes, form.channels)
    return build(spec, study.seed), form[:3]


def prepared_form() -> Form:
    """Return the form of the images in data/prepared; a Fault where there are none."""
    if not DESCRIPTION.is_file():
        raise Fault(f"{DESCRIPTION}: no such file; run `dvc repro prepare` to know the images")
    about = read_json(DESCRIPTION)
    return Form(about["channels"], about["height"], about["width"], len(about["classes"]))


def pruned_network(network: nn.Module, entry: Entry, shape: Sequence[int]) -> nn.Module:
    """Prune at random to the sizes that the method leaves; a Fault where these need training."""
    methods: list[Method] = getattr(entry, "methods", lambda: [entry.method()])()
    masks: dict[str, torch.Tensor] = {}
    for method in methods:
        if method.granularity == "filter":
            widths_without_data(network, method, shape)
        elif method.allocation.kind == "global":
            raise Fault(
                f"{method.allocation.options['sparsity']:.2%} of all weights, layer unknown"
            )
        at_random = replace(method, criterion="random", options={}, iterations=1)
        pruned = prune(network, (), at_random, torch.Generator().manual_seed(0), shape, masks)
        network, masks = apply(network, pruned), pruned.masks
    return network


def table(method: str, network: nn.Module, shape: Sequence[int]) -> pd.DataFrame:
    """Return a network's cost by layer."""
    rows = pd.DataFrame(layers(network, shape))
    rows.insert(0, "method", method)
    return rows


def overview(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the totals by method, and their percentage of the dense network's."""
    total = rows.groupby("method", sort=False)[["parameters", "nonzero", "macs"]].sum()
    percent = (100 * total / total.loc[DENSE]).round(1).add_suffix(" %")
    order = [name for key in total for name in (key, f"{key} %")]
    return total.join(percent)[order].rename_axis(None)


if __name__ == "__main__":
    with faults_in_one_line():
        app()
