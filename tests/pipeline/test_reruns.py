"""What runs again after a change: what depends on it, and nothing else."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from stages.results.files import read_arm
from tests.pipeline.project import ran

TRAINING = ("train", "checkpoint", "retrain@l1-onecycle", "retrain@l1-weight_rewind")
CURVE = '''

def flat(
    total_steps: int, steps_per_epoch: int, dense: DenseRates, *, max_lr: PeakLR = "max"
) -> Values:
    """One learning rate."""
    return np.full(total_steps, dense.resolve(max_lr, "max_lr"))
'''
METRIC = '''

def error(logits: np.ndarray, labels: np.ndarray) -> float:
    """The fraction of images whose largest logit is not their label."""
    return 1 - accuracy(logits, labels)
'''
CRITERION = '''

def first(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    """The first filters stay."""
    return {}
'''
NETWORK = '''"""A linear network."""

from torch import nn


def linear(num_classes: int, in_channels: int, *, size: int = 8) -> nn.Module:
    """One layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * size**2, num_classes))
'''
SOURCE = '''"""No images."""

from pathlib import Path

from stages.data.sources.raw import Raw


def blank(root: Path, downloads: Path) -> Raw:
    """Nothing to read."""
    raise FileNotFoundError(root)
'''


def one_number(project):
    project.set("retrain.schedules.onecycle.max_lr", 0.05)


def key_of_its_own(project):
    project.set("retrain.schedules.onecycle.label_smoothing", 0.1)


def budget(project):
    project.set("retrain.epochs", 1)


def new_code(project):
    """A curve, a criterion, a network, a data source, a metric and a word of the report."""
    project.append("stages/schedules/decays.py", CURVE)
    project.register("stages/schedules/registry.py", "CURVES", "flat", "decays.flat")
    project.append("stages/pruning/criteria/filters.py", CRITERION)
    project.register("stages/pruning/criteria/filters.py", "FILTER_CRITERIA", "first", "l2")
    project.append("stages/data/sources/blank.py", SOURCE)
    registry = "stages/data/sources/registry.py"
    imports = "from stages.data.sources.digits import digits\n"
    project.edit(registry, imports, f"from stages.data.sources.blank import blank\n{imports}")
    project.register(registry, "SOURCES", "blank", "Source(blank)")
    project.append("stages/models/linear.py", NETWORK)
    metrics(project)
    project.append("stages/reporting/tables.py", "\nA_WORD = 1\n")


def metrics(project):
    """A metric alone."""
    project.append("stages/evaluation/metrics.py", METRIC)
    project.register("stages/evaluation/metrics.py", "METRICS", "error", "error")


def words(project):
    """Docstrings, comments, a help text, a command, a preset: nothing that a stage runs."""
    for path in ("training/loop.py", "training/step.py", "images/prepared.py", "train.py"):
        project.edit(f"stages/{path}", '"""\n\n', ' More words.\n\n# A comment.\n"""\n\n', count=1)
    project.edit("stages/pipeline/command.py", "A key of retrain.schedules.", "A schedule.")
    project.append("stages/commands/curves.py", "\nUNUSED = 1\n")
    project.append("stages/presets/note.txt", "no preset")


def loop(project):
    project.append("stages/training/loop.py", "\nUNUSED = 1\n")


EVALUATIONS = {
    *("evaluate_dense", "evaluate_pruned@l1"),
    *("evaluate@l1-onecycle", "evaluate@l1-weight_rewind"),
}
EDITS = {
    one_number: (),
    key_of_its_own: (),
    budget: ("plan@l1",),
    new_code: TRAINING,
    metrics: (),
    words: (),
    loop: ("train",),
}


@pytest.fixture(scope="module")
def reran(study, tmp_path_factory):
    """Return the stages that each edit of a copy of the study reran; two copies at a time."""

    def rerun(edit):
        project = study.project.copy(tmp_path_factory.mktemp(edit.__name__) / "project")
        edit(project)
        return ran(project.dvc("repro", *EDITS[edit]))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(EDITS, pool.map(rerun, EDITS), strict=True))


def test_the_headline_needs_one_arm_alone(study):
    assert study.for_headline == {
        *("code", "validate", "prepare", "rehearse", "dense_curve", "train", "checkpoint"),
        *("prune@l1", "plan@l1", "retrain@l1-onecycle"),
        *("evaluate_dense", "evaluate_pruned@l1", "evaluate@l1-onecycle", "headline"),
    }
    rest = {"retrain@l1-weight_rewind", "evaluate@l1-weight_rewind", "compare"}
    assert study.after_headline == rest


def test_nothing_runs_twice(project):
    said = project.dvc("repro")
    assert ran(said) == set()
    assert said.endswith("Data and pipelines are up to date.\n")


@pytest.mark.parametrize("edit", [one_number, key_of_its_own])
def test_what_is_one_arms_own_reruns_that_arm(edit, reran):
    assert reran[edit] == {
        *("validate", "plan@l1", "retrain@l1-onecycle", "evaluate@l1-onecycle"),
        *("headline", "compare"),
    }


def test_the_retraining_budget_reruns_nothing_before_the_rewind_points(reran):
    assert reran[budget] == {"validate", "checkpoint", "plan@l1"}


def test_new_code_trains_nothing_again(reran):
    assert reran[new_code] == {
        *("code", "validate", "prepare", "rehearse", "dense_curve", "prune@l1", "plan@l1"),
    }


def test_a_new_metric_runs_no_network(reran):
    assert reran[metrics] == {"code", *EVALUATIONS, "headline", "compare"}


def test_words_run_nothing_but_the_digests(reran):
    assert reran[words] == {"code"}


def test_an_edit_of_the_loop_trains(reran):
    assert reran[loop] == {"code", "train"}


@pytest.mark.slow
def test_a_method_in_rounds_runs_alone(iterated):
    arms = ("rounds-onecycle", "rounds-weight_rewind")
    assert iterated.ran == {
        *("validate", "prune_iterative@rounds", "plan_iterative@rounds"),
        *(f"{stage}@{arm}" for stage in ("iterate", "evaluate_iterative") for arm in arms),
        *("evaluate_pruned_iterative@rounds", "compare"),
    }


def test_results_of_arms_and_methods_that_are_gone_are_removed(project):
    before = project.files("reports")
    for stale in ("arms/l1/gone.json", "arms/gone/onecycle.json", "pruned/gone.json"):
        (project.folder / "reports" / stale).parent.mkdir(exist_ok=True)
        (project.folder / "reports" / stale).write_text("{}")
    project.run("python", "-m", "stages.compare")
    assert project.files("reports") == before


@pytest.mark.slow
def test_times_are_measured_again_alone_and_the_page_links_to_them(project):
    project.set("latency", {"l1": {"batches": [1]}})
    assert ran(project.dvc("repro")) == {"validate", "latency@l1", "compare"}
    rows = (project.folder / "reports/latency/l1.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [
        [network, engine, "1"] for engine in ("torch", "onnxruntime") for network in ("dense", "l1")
    ]
    project.set("latency", {"l1": {"batches": [2]}})
    assert ran(project.dvc("repro")) == {"validate", "latency@l1", "compare"}


@pytest.mark.slow
def test_corruptions_are_tested_where_asked_and_the_page_links_to_them(project):
    asked = {"kinds": ["gaussian_noise", "jpeg"], "severities": [1, 5]}
    project.set("corruptions", {"l1": asked})
    assert ran(project.dvc("repro")) == {"validate", "corruptions@l1", "compare"}
    file = project.folder / "reports/corruptions/l1.csv"
    first = file.read_bytes()
    table = pd.read_csv(file)
    assert list(table["measure"].value_counts(sort=False)) == [4, 4 * 2, 4 * 5]
    clean = table[table["severity"] == 0].set_index("schedule")["mean"]
    for schedule in ("onecycle", "weight_rewind"):
        arm = read_arm(project.folder / "reports", "l1", schedule)
        known = [run.last.test["accuracy"] for run in arm.replicates]
        assert clean[schedule] == pytest.approx(sum(known) / len(known), abs=1e-6)
    project.dvc("repro", "--force", "--single-item", "corruptions@l1")
    assert file.read_bytes() == first
    project.set("retrain.schedules.onecycle.max_lr", 0.05)
    assert "corruptions@l1" in ran(project.dvc("repro"))
    project.set("corruptions", {})
    assert ran(project.dvc("repro")) == {"validate", "compare"}
