"""What every pruning method would leave of the network, without training it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from torch import nn

from stages.commands.places import DESCRIPTION
from stages.evaluation.cost import layers
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, parse
from stages.presets.preset import read_params
from stages.study.networks import dense_network, pruned_networks
from stages.study.settings import Study

app = typer.Typer(add_completion=False)
DENSE = "dense"
CONVENTION = (
    "MACs: multiply-accumulates of convolutions, linear layers and the two products of an "
    "attention for one image, zeros included; biases, normalisation, softmax and pooling are not "
    "counted. Parameters: weights, biases and scales, no buffers. Nonzero: parameters less the "
    "zeros in weights of more than one dimension."
)


@app.command()
def main(
    params: Annotated[Path, typer.Option(help="A params.yaml.")] = PARAMS,
    csv: Annotated[bool, typer.Option("--csv", help="Print every layer as CSV.")] = False,
) -> None:
    """Print parameters and MACs that each pruning method leaves, in total and by layer."""
    study: Study = parse(Study, read_params(params), file=params)
    network, shape = dense_network(study, DESCRIPTION)
    tables, reasons = [table(DENSE, network, shape)], {}
    for name, entry in {**study.prune.methods, **study.prune.iterative}.items():
        try:
            *_, left = pruned_networks(network, entry, shape)
            tables.append(table(name, left, shape))
        except Fault as fault:
            reasons[name] = f"{fault}"
    rows = pd.concat(tables)
    if csv:
        rows.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(overview(rows).to_string(), CONVENTION, sep="\n\n")
    for name, reason in reasons.items():
        print(f"{name}: not known before training ({reason})", file=sys.stderr)


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
