"""An arm that diverges beside a good one, and a dense network that does, in a real study."""

import csv
import io
import json

from tests.pipeline.project import ran

ARM = {"plan@l1", "retrain@l1-hot", "evaluate@l1-hot", "compare"}


def test_an_arm_that_diverges_is_a_result(project):
    project.set("retrain.schedules.hot", {"curve": "constant", "lr": 100.0})
    project.set("retrain.schedule", "hot")
    said = project.dvc("repro")
    assert ran(said) >= ARM | {"headline"}
    assert "retrain@l1-onecycle" not in ran(said)
    for number in (0, 1):
        assert (
            f"\nl1 hot, replicate {number}: diverged in epoch 1, at learning rates up to 100 ("
            in said
        )
        where = project.folder / f"models/retrained/l1/hot/replicate_{number}"
        assert [path.name for path in where.iterdir()] == ["diverged.json"]
    page = (project.folder / "reports/README.md").read_text()
    assert "`hot` on `l1` (2 of 2 replicates, in epoch 1 at learning rate 100)" in page
    assert "| `hot` | `start`, `curve` (crossed) | 2 | diverged (2 of 2) | – | – |" in page
    assert "`hot` wins" not in page
    headline = json.loads((project.folder / "reports/headline.json").read_text())
    assert (headline["retrained"], headline["drop"], headline["diverged"]) == (None, None, 2)
    shown = json.loads(project.dvc("metrics", "show", "--json"))[""]["data"]
    known = {name: value for name, value in headline.items() if value is not None}
    assert shown["reports/headline.json"]["data"] == known
    curves = (project.folder / "reports/curves/l1.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(curves)))
    assert any(row["schedule"] == "hot" for row in rows)
    assert all(row["test_accuracy"] for row in rows)
    project.dvc("plots", "show", "--out", "plots")
    assert ran(project.dvc("repro")) == set()
    again = project.dvc("repro", "--force", "--single-item", "retrain@l1-hot")
    assert again.count("diverged in epoch 1") == 2
    export = ("python", "-m", "stages.commands", "export", "--method", "l1", "--schedule", "hot")
    said = project.run(*export, code=1)
    assert said.startswith(
        "models/retrained/l1/hot/replicate_0: this replicate diverged in epoch 1"
    )
    assert said.count("\n") == 1


def test_a_dense_network_that_diverges_stops_the_study_with_one_line(project):
    project.set("train.lr", 1e30)
    said = project.dvc("repro", code=255)
    lines = said[said.index("> python -m stages.train\n") :].splitlines()
    assert lines[1].startswith("replicate ")
    assert ": the dense network diverged in epoch 1, at learning rates up to 1e+30 (" in lines[1]
    assert lines[1].endswith("nothing can follow: lower train.lr or change train.schedule")
    assert lines[2].startswith("ERROR: failed to reproduce 'train'")
    assert "checkpoint" not in ran(said)
