"""What runs again after a change: what depends on it, and nothing else."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.pipeline.project import ran

TRAINING = ("train", "checkpoint", "retrain@l1-onecycle", "retrain@l1-weight_rewind")
CURVE = '''

def flat(
    total_steps: int, steps_per_epoch: int, dense: Dense, *, max_lr: PeakLR = "max"
) -> Values:
    """One learning rate."""
    return np.full(total_steps, dense.resolve(max_lr, "max_lr"))
'''
CRITERION = '''

def first(model: "nn.Module", batches: "Batches", generator: "torch.Generator") -> "Scores":
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

from stages.data.raw import Raw


def blank(root: Path, downloads: Path) -> Raw:
    """Nothing to read."""
    raise FileNotFoundError(root)
'''


def register(project, path, before, name, function):
    project.edit(
        f"stages/{path}", f"    {before},\n", f'    {before},\n    "{name}": {function},\n'
    )


def one_number(project):
    project.set("retrain.schedules.onecycle.max_lr", 0.05)


def budget(project):
    project.set("retrain.epochs", 1)


def new_code(project):
    """A curve, a criterion, a network, a data source, a metric and a word of the report."""
    project.append("stages/schedules/decays.py", CURVE)
    register(
        project, "schedules/registry.py", '"exponential": decays.exponential', "flat", "decays.flat"
    )
    project.append("stages/pruning/criteria/filters.py", CRITERION)
    register(project, "pruning/criteria/filters.py", '"l1": l1', "first", "l2")
    project.append("stages/data/blank.py", SOURCE)
    project.edit(
        "stages/data/sources.py",
        "import digits\n",
        "import digits\nfrom stages.data.blank import blank\n",
    )
    register(project, "data/sources.py", '"digits": digits', "blank", "blank")
    project.append("stages/models/linear.py", NETWORK)
    project.append("stages/metrics/nothing.py", '"""No metric."""\n')
    project.append("stages/reporting/markdown.py", "\n# a word\n")


EDITS = {one_number: (), budget: ("curves@l1",), new_code: TRAINING}


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
        *("validate", "prepare", "dense_curve", "train", "checkpoint"),
        *("prune@l1", "curves@l1", "retrain@l1-onecycle"),
        *("baseline@l1", "evaluate@l1-onecycle", "headline"),
    }
    rest = {"retrain@l1-weight_rewind", "evaluate@l1-weight_rewind", "compare"}
    assert study.after_headline == rest


def test_nothing_runs_twice(project):
    said = project.dvc("repro")
    assert ran(said) == set()
    assert said.endswith("Data and pipelines are up to date.\n")


def test_a_number_of_one_arm_reruns_that_arm(reran):
    assert reran[one_number] == {
        *("validate", "curves@l1", "retrain@l1-onecycle", "evaluate@l1-onecycle"),
        *("headline", "compare"),
    }


def test_the_retraining_budget_reruns_nothing_before_the_rewind_points(reran):
    assert reran[budget] == {"validate", "checkpoint", "curves@l1"}


def test_new_code_trains_nothing_again(reran):
    assert reran[new_code] == {"validate", "prepare", "dense_curve", "prune@l1", "curves@l1"}


@pytest.mark.slow
def test_a_method_in_rounds_runs_alone(iterated):
    arms = ("rounds-onecycle", "rounds-weight_rewind")
    assert iterated.ran == {
        *("validate", "prune_iterative@rounds", "curves_iterative@rounds"),
        *(f"{stage}@{arm}" for stage in ("iterate", "evaluate_iterative") for arm in arms),
        *("baseline_iterative@rounds", "compare"),
    }


def test_results_of_arms_and_methods_that_are_gone_are_removed(project):
    before = project.files("reports")
    for stale in ("arms/l1/gone.json", "arms/gone/onecycle.json", "baselines/gone.json"):
        (project.folder / "reports" / stale).parent.mkdir(exist_ok=True)
        (project.folder / "reports" / stale).write_text("{}")
    project.run("python", "-m", "stages.compare")
    assert project.files("reports") == before
