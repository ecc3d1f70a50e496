"""The DAG of dvc.yaml as a mermaid diagram, for the README."""

import re
import subprocess
import sys

import networkx as nx
import typer

from stages.pipeline.command import run
from stages.pipeline.fault import Fault

app = typer.Typer(add_completion=False)
DVC = ("dvc", "dag", "--mermaid", "--collapse-foreach-matrix")
NODE = re.compile(r'^\s*(\w+)\["(.+)"\]$', re.MULTILINE)
ARROW = re.compile(r"^\s*(\w+)-->(\w+)$", re.MULTILINE)
CODE = "code"
"""The stage that every other depends on; its arrows would hide the others."""


@app.command()
def main() -> None:
    """Print the stages and their order, without `code` and without arrows that others imply."""
    print(mermaid(reduced(parse(dvc_dag()))))


def dvc_dag() -> str:
    """Return DVC's own diagram, the stages of a matrix as one."""
    ended = subprocess.run([sys.executable, "-m", *DVC], capture_output=True, text=True)
    if ended.returncode:
        raise Fault(ended.stderr.strip())
    return ended.stdout


def parse(diagram: str) -> nx.DiGraph:
    """Return the graph of a mermaid diagram as DVC prints it."""
    names = dict(NODE.findall(diagram))
    graph = nx.DiGraph()
    graph.add_nodes_from(names.values())
    graph.add_edges_from((names[a], names[b]) for a, b in ARROW.findall(diagram))
    return graph


def reduced(graph: nx.DiGraph) -> nx.DiGraph:
    """Return the fewest arrows with the same paths between all stages but `code`."""
    return nx.transitive_reduction(graph.subgraph(set(graph) - {CODE}))


def mermaid(graph: nx.DiGraph) -> str:
    """Return a graph as a mermaid diagram, each stage after all that it depends on."""
    order = list(nx.lexicographical_topological_sort(graph))
    arrows = [f"    {a} --> {b}" for a in order for b in sorted(graph[a], key=order.index)]
    lone = [f"    {stage}" for stage in order if not graph.degree(stage)]
    return "\n".join(["flowchart TD", *lone, *arrows])


if __name__ == "__main__":
    run(app)
