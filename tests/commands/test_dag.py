"""The diagram of the README is DVC's DAG, without `code` and the arrows that others imply."""

import re
from pathlib import Path

import networkx as nx
import pytest

from stages.commands.dag import dvc_dag, main, mermaid, parse, reduced
from stages.pipeline.fault import Fault
from tests.pipeline.project import Project, copy_tree, environment

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAID_BY_DVC = """flowchart TD
\tnode1["a"]
\tnode2["code"]
\tnode3["b"]
\tnode4["c@{x}"]
\tnode5["alone"]
\tnode1-->node3
\tnode1-->node4
\tnode2-->node1
\tnode2-->node3
\tnode2-->node4
\tnode2-->node5
\tnode3-->node4
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project in a fresh repository."""
    folder = tmp_path_factory.mktemp("dag")
    project = Project(folder / "project", environment(folder))
    copy_tree(project.folder)
    project.run("git", "init", "--quiet")
    return project


@pytest.fixture
def root(project, monkeypatch):
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.folder)


def test_the_diagram_of_the_readme_is_that_of_dvc_yaml(project):
    printed = project.run("python", "-m", "stages.commands.dag")
    assert BLOCK.findall((ROOT / "README.md").read_text()) == [printed]


def test_the_same_stages_come_before_each(root):
    dvc = parse(dvc_dag())
    ours = reduced(dvc)
    dvc.remove_node("code")
    assert len(ours) > 10
    assert nx.transitive_closure(ours).edges == nx.transitive_closure(dvc).edges
    for arrow in ours.edges:
        without = nx.restricted_view(ours, [], [arrow])
        assert not nx.has_path(without, *arrow)


def test_the_diagram_reads_back(root):
    graph = reduced(parse(dvc_dag()))
    arrows = [line.split(" --> ") for line in mermaid(graph).split("\n")[1:]]
    assert sorted((a.strip(), b) for a, b in arrows) == sorted(graph.edges)


def test_a_small_diagram():
    assert mermaid(reduced(parse(SAID_BY_DVC))).split("\n") == [
        "flowchart TD",
        "    alone",
        "    a --> b",
        "    b --> c@{x}",
    ]


def test_outside_a_project_dvc_says_why(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Fault, match="not inside of a DVC repository"):
        main()
