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

from stages.cli import run
from stages.fault import Fault
from stages.files import read_json
from stages.metrics.cost import CONVENTION, layers
from stages.models.registry import Spec, build
from stages.params.load import PARAMS, parse, read_yaml
from stages.params.prune import Entry
from stages.params.study import Study
from stages.pruning.method import Method
from stages.pruning.prune import prune, widths_without_data
from stages.pruning.step import apply

app = typer.Typer(add_completion=False)
DESCRIPTION = Path("data/prepared/description.json")
SHAPES = {
    "digits": (1, 8, 8, 10),
    "mnist": (1, 28, 28, 10),
    "fashion_mnist": (1, 28, 28, 10),
    "cifar10": (3, 32, 32, 10),
    "cifar100": (3, 32, 32, 100),
}
DENSE = "dense"


@app.command()
def main(
    params: Annotated[Path, typer.Option(help="A params.yaml.")] = PARAMS,
    csv: Annotated[bool, typer.Option("--csv", help="Print every layer as CSV.")] = False,
) -> None:
    """Print parameters and MACs that each pruning method leaves, overall and by layer."""
    study: Study = parse(Study, read_yaml(params), file=params)
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
    """Build the network of a study; its images are those of data/prepared or of the source."""
    source = study.data.source
    if source in SHAPES:
        *shape, classes = SHAPES[source]
    elif DESCRIPTION.is_file():
        about = read_json(DESCRIPTION)
        shape, classes = [about[key] for key in ("channels", "height", "width")], about["classes"]
        classes = len(classes)
    else:
        raise Fault(f"{DESCRIPTION}: no such file; run `dvc repro prepare` to know the images")
    model = study.model
    channels, height, width = shape
    spec = Spec(model.code, model.factory, model.options, classes, channels)
    return build(spec, study.seed), (channels, height, width)


def pruned_network(network: nn.Module, entry: Entry, shape: Sequence[int]) -> nn.Module:
    """Prune by chance to the sizes that the method leaves; a Fault where these need training."""
    methods: list[Method] = getattr(entry, "methods", lambda: [entry.method()])()
    masks: dict[str, torch.Tensor] = {}
    for method in methods:
        if method.granularity == "filter":
            widths_without_data(network, method, shape)
        elif method.allocation.kind == "global":
            raise Fault(
                f"{method.allocation.options['sparsity']:.2%} of all weights, layer unknown"
            )
        by_chance = replace(method, criterion="random", options={}, iterations=1)
        pruned = prune(network, (), by_chance, torch.Generator().manual_seed(0), shape, masks)
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
    run(app)
