from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from stages.commands import power, recommend
from stages.pipeline.fault import Fault
from stages.pipeline.params import read_yaml
from stages.reporting.pairs import Pair
from stages.statistics.estimates import Estimate
from tests.reporting.helpers import report_of
from tests.results.study import write_study

ROOT = Path(__file__).parents[2]
METHODS = ["l1", "random"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the default settings and an invented result of every arm."""
    monkeypatch.chdir(tmp_path)
    tree = read_yaml(ROOT / "stages/presets/default.yaml")
    schedules = {n: tree["retrain"]["schedules"][n] for n in ("finetune", "scaled", "onecycle")}
    tree["retrain"]["schedules"] = schedules
    Path("params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    write_study(Path("reports"), METHODS, list(schedules), seeds=6)


def run(command, *options):
    done = CliRunner().invoke(command.app, list(options))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_every_method_has_a_recommendation_and_a_command(project):
    said = run(recommend).stdout
    assert said.count("After `") == 2
    assert "afterprune export --method random --schedule " in said


def test_one_method_can_be_asked_for(project):
    assert run(recommend, "--method", "random").stdout.count("After `") == 1
    with pytest.raises(Fault, match="--method is 'rndom'; did you mean 'random'"):
        run(recommend, "--method", "rndom")


@pytest.mark.parametrize("options", [("--epochs", "5"), ("--kept", "50")])
def test_nothing_is_made_up_where_nothing_fits(project, options):
    with pytest.raises(Fault, match="no arm"):
        run(recommend, *options)


def test_results_that_are_missing_are_named(project):
    Path("reports/arms/l1/onecycle.json").unlink()
    with pytest.raises(Fault, match="run `dvc repro evaluate@l1-onecycle`"):
        run(recommend)


def test_power_lists_the_undecided_pairs_and_says_where_the_time_is_unknown(project):
    write_study(Path("reports"), METHODS, ["finetune", "scaled", "onecycle"], seeds=2)
    done = run(power)
    first, _, head, *rows = done.stdout.splitlines()
    decided, _, every = first.split()[:3]
    assert len(rows) == int(every) - int(decided)
    assert head.split()[:3] == ["pair", "differ", "in"]
    assert all("undecided" in row for row in rows)
    assert len(run(power, "--all").stdout.splitlines()) == 3 + int(every)
    assert "the time is not known: data/prepared/description.json" in done.stderr


def test_power_asks_for_more_than_there_are_of_open_pairs_alone(project):
    names = ["finetune", "scaled", "onecycle"]
    report = report_of(Path("reports"), METHODS, names)
    open_one = Pair("a", "b", ("curve",), Estimate(0.9, 1.0, 20, -0.1, 1.9), "undecided")
    decided = Pair("a", "c", ("curve",), Estimate(2.0, 1.0, 20, 1.5, 2.5), "better")
    _, one, other = power.table([open_one, decided], report, 0.8, 48).splitlines()
    assert one.split()[-1] == "21"
    assert other.split()[-2:] == ["better", "enough"]
