import json
import os
import signal
import sys
from pathlib import Path
from shutil import copy, copytree

import pytest
import yaml

from stages.commands import checked, studies
from stages.commands.joined import PRESENT, finished, join, kept, sources
from stages.pipeline.fault import Fault
from tests.mistakes.harness import afterprune, nothing_done

ROOT = Path(__file__).parents[2]
PARAMS = {"seeds": 3, "retrain": {"epochs": 8}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose report is that of its params.yaml, with two kept studies; be in it."""
    monkeypatch.chdir(tmp_path)
    write("params.yaml", PARAMS)
    recorded = {"seeds": 3, "retrain.epochs": 8}
    write("dvc.lock", {"stages": {"compare": {"params": {"params.yaml": recorded}}}})
    for name, epochs in (("short", 4), ("long", 20)):
        write(f"reports/studies/{name}/params.yaml", PARAMS | {"retrain": {"epochs": epochs}})
    return tmp_path


def write(path, value):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(yaml.safe_dump(value))


def names():
    return [name for name, *_ in sources()]


def test_the_study_of_the_project_takes_part_with_all_that_are_kept(project):
    assert [path.name for path in kept()] == ["long", "short"]
    assert names() == [PRESENT, "long", "short"]
    _, tables, params, page = next(sources())
    assert (tables, params, page) == (Path("reports/tables"), Path("params.yaml"), "../README.md")


def test_what_a_killed_keep_leaves_is_no_study(project):
    write("reports/studies/.long.4711/params.yaml", PARAMS)
    assert names() == [PRESENT, "long", "short"]


def test_it_takes_no_part_when_its_report_is_another_s_or_when_it_is_kept(project):
    write("params.yaml", PARAMS | {"seeds": 4})
    assert names() == ["long", "short"]
    write("params.yaml", PARAMS)
    write("reports/studies/short/params.yaml", PARAMS)
    assert names() == ["long", "short"]


@pytest.mark.parametrize("name", ["digits", "this", "reports"])
def test_it_has_a_name_that_no_kept_study_has(project, name):
    write(f"reports/studies/{name}/params.yaml", PARAMS | {"seeds": 4})
    assert names().count(name) == 1
    assert "/" in names()[0]


def test_a_report_is_that_of_the_settings_in_the_lock(project):
    assert finished(PARAMS)
    assert not finished(PARAMS | {"retrain": {"epochs": 9}})
    assert not finished({"seeds": 3})
    Path("dvc.lock").unlink()
    assert not finished(PARAMS)


def test_studies_of_another_version_are_named_in_a_line_each(project, capsys):
    join()
    out, err = capsys.readouterr()
    assert out == "reports/studies/README.md joins no study\n"
    lines = err.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("left out: reports/studies/long/tables/replicates.csv: missing; ")
    assert lines[1].endswith("; `afterprune studies --rerun long` makes it again")
    page = Path("reports/studies/README.md").read_text()
    assert all(line.removeprefix("left out: ") in page for line in lines)


@pytest.fixture
def runs(project, monkeypatch):
    """Run nothing: note the budget of each run, and write into dvc.lock as a run does."""
    noted = []

    def run(what):
        epochs = yaml.safe_load(Path("params.yaml").read_text())["retrain"]["epochs"]
        noted.append((what, epochs))
        if epochs == 666:
            raise Fault("it failed")
        Path("dvc.lock").write_text(json.dumps({"stages": {}}))

    monkeypatch.setattr(studies, "_run", run)
    monkeypatch.setattr(studies, "refuse_loss", lambda presets, hint: None)
    monkeypatch.setattr(studies, "keep", lambda folder: noted.append(("keep", folder.name)))
    return noted


def test_all_studies_run_again_by_their_own_settings_and_then_the_project_s(runs):
    before = Path("dvc.lock").read_text()
    studies.run_again(["long", "short"])
    assert runs == [("long", 20), ("keep", "long"), ("short", 4), ("keep", "short"),
                    ("params.yaml", 8)]  # fmt: skip
    assert yaml.safe_load(Path("params.yaml").read_text()) == PARAMS
    assert Path("dvc.lock").read_text() != before  # by the last run alone, which starts from it


def test_what_fails_leaves_the_settings_as_they_were(runs):
    before = {path: Path(path).read_text() for path in ("params.yaml", "dvc.lock")}
    write("reports/studies/short/params.yaml", PARAMS | {"retrain": {"epochs": 666}})
    with pytest.raises(Fault, match="it failed"):
        studies.run_again(["long", "short"])
    assert {path: Path(path).read_text() for path in before} == before


def test_a_file_that_was_not_there_is_removed_again(project):
    with studies.put_back(Path("new"), Path("dvc.lock")):
        Path("new").write_text("")
        Path("dvc.lock").unlink()
    assert not Path("new").exists()
    assert Path("dvc.lock").exists()


SLOW = """
import os, signal, sys, time
def stop(number, _):
    time.sleep(0.5)  # longer than the quarter of a second that subprocess.run gives it
    print("recorded", file=open("ended", "a"))
    sys.exit(128 + number)
signal.signal(int(sys.argv[1]), stop)
os.kill(os.getppid(), int(sys.argv[1]))
time.sleep(60)
"""
"""A runner that takes its time to record what it finished, once its parent is told to stop."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_is_told_to_stop_waits_for_the_run_to_record_what_it_did(project, number):
    command = [sys.executable, "-c", SLOW, f"{number.value}"]
    before = signal.getsignal(number)
    assert studies.to_its_end(command) == (128 + number, True)
    assert Path("ended").read_text() == "recorded\n"
    assert signal.getsignal(number) is before
    assert studies.to_its_end([sys.executable, "-c", "raise SystemExit(3)"]) == (3, False)


def test_a_run_hears_of_a_ctrl_c_once_and_the_files_come_back_after_it(project, monkeypatch):
    def stopped(command):
        assert yaml.safe_load(Path("params.yaml").read_text())["retrain"]["epochs"] == 20
        return 130, True

    monkeypatch.setattr(studies, "to_its_end", stopped)
    with pytest.raises(SystemExit) as ended:
        studies.run_again(["long"])
    assert ended.value.code == 130
    assert yaml.safe_load(Path("params.yaml").read_text()) == PARAMS


def test_files_are_put_back_whole(project):
    """A file that is replaced is another one: a reader of the old one never sees half of it."""
    os.link("dvc.lock", "before")
    with studies.put_back(Path("dvc.lock")):
        pass
    assert not Path("before").samefile("dvc.lock")


def test_uncommitted_settings_are_refused_without_an_option_that_is_not_there(project):
    with pytest.raises(Fault, match=r"that are not committed; commit them first$"):
        studies.main([], rerun=True)


def test_marks_that_are_no_pair_are_told_of_before_a_study_runs(runs):
    Path("README.md").write_text("<!-- answers -->\n")
    with pytest.raises(Fault, match=r"README.md: should have the lines <!-- answers --> and"):
        studies.main(["long"], rerun=True)
    assert runs == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("studies lon --rerun", "no study 'lon' in reports/studies; did you mean 'long'? valid:"),
        ("studies long", "long: the page joins all studies; --rerun runs some of them again"),
        ("studies --again", "no option --again; valid:"),
        ("studies long --check", "--check is about all studies as they are; give nothing beside"),
        ("studies --check --rerun", "--check is about all studies as they are; give nothing"),
    ],
)
def test_a_wrong_command_line_is_one_line(project, line, told):
    ended = afterprune(*line.split())
    assert ended.code in (1, 2)
    [only] = ended.err
    assert told in only


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """A copy of what is kept of the project's studies, as it is in git; be in it."""
    copytree(ROOT / "reports/studies/budgets", tmp_path / "reports/studies/budgets")
    copy(ROOT / "reports/studies/budgets/params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    join()
    return tmp_path


def test_studies_as_they_should_be_pass_and_nothing_is_written(whole, capsys):
    capsys.readouterr()
    with nothing_done(whole):
        assert checked.check() == ["budgets"]


def test_a_study_that_contradicts_itself_is_not_joined(whole, capsys):
    path = Path("reports/studies/budgets/tables/arms.csv")
    path.write_text(path.read_text().replace(",92.531,", ",92.631,", 1))
    join()
    out, err = capsys.readouterr()
    assert out.endswith("joins no study\n")
    assert "arms.csv: line 2: test_top1_percent_mean is 92.631; the replicates give" in err
    assert len(Path("reports/results.csv").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("results.csv", lambda text: text.replace(",94.314,", ",94.315,", 1),
         "results.csv: line 2: is not what the studies' files give; `afterprune studies` writes"),
        ("results.csv", lambda text: text + "mine\n", "results.csv: line 130: is not what"),
        ("results.csv", None, "results.csv: missing; `afterprune studies` writes it"),
        ("explorer.html", lambda text: text.replace("94.314", "94.315", 1), "explorer.html: line "),
        ("studies/README.md", lambda text: f"{text}We win.\n", "README.md: line "),
        ("studies/budgets/README.md", None, "`afterprune keep budgets` writes it"),
        ("studies/budgets/figures/arms.svg", None, "links to figures/arms.svg, which is missing"),
        ("studies/budgets/params.yaml", lambda text: text.replace("seeds: 8", "sedes: 8"),
         "params.yaml: sedes is no known key; did you mean 'seeds'?"),
        ("studies/budgets/params.yaml", lambda text: text.replace("seeds: 8", "seeds: 9"),
         "tables/replicates.csv: has no row of l1, finetune_5, seed 8"),
        ("studies/budgets/tables/arms.csv", lambda text: text.replace(",92.531,", ",92.631,", 1),
         "arms.csv: line 2: test_top1_percent_mean is 92.631; the replicates give 92.531"),
        ("studies/budgets/tables/paired.csv", None, "paired.csv: missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_kept_study_is_told_by_file(whole, file, change, told):
    path = Path("reports", file)
    if change:
        path.write_text(change(path.read_text()))
    else:
        path.unlink(missing_ok=True)
    with nothing_done(whole):
        ended = afterprune("studies", "--check")
    assert ended.code == 1
    assert told in ended.err[0]
    assert all(line.startswith("reports/") for line in ended.err)


def test_the_readme_opens_with_what_the_studies_say(whole):
    before = (
        "# Mine\n\n<!-- answers -->\nold \\1\n  <!-- end of answers --> \n\nrest\n<!-- end -->\n"
    )
    Path("README.md").write_text(before)
    join()
    readme = Path("README.md").read_text()
    assert readme.startswith("# Mine\n\n<!-- answers -->\nOne study of 1 set of dense networks")
    assert readme.endswith("\n  <!-- end of answers --> \n\nrest\n<!-- end -->\n")
    assert "old" not in readme
    assert max(map(len, readme.splitlines())) <= 120
    Path("README.md").write_text(before)
    with pytest.raises(Fault, match=r"README.md: line 4: is not what the studies' files give"):
        checked.check()


@pytest.mark.parametrize("readme", [None, "# Mine\n"])
def test_a_readme_without_a_place_for_it_is_left_alone(whole, readme):
    if readme is not None:
        Path("README.md").write_text(readme)
    join()
    assert (Path("README.md").read_text() if Path("README.md").exists() else None) == readme


@pytest.mark.parametrize(
    "marks",
    [
        "<!-- answers -->\nno end\n",
        "<!-- end of answers -->\n<!-- answers -->\n",
        "<!-- answers -->\n<!-- end of answers -->\n<!-- answers -->\n<!-- end of answers -->\n",
        "<!-- answers -->\n<!-- toc -->\nof mine\n<!-- end of answers -->\n",
    ],
)
def test_marks_that_are_not_a_pair_are_refused_and_nothing_is_lost(whole, marks):
    before = Path("reports/results.csv").read_bytes()
    Path("README.md").write_text(marks)
    for command in (join, checked.check):
        with pytest.raises(Fault, match=r"README.md: should have the lines <!-- answers --> and"):
            command()
    assert Path("README.md").read_text() == marks
    assert Path("reports/results.csv").read_bytes() == before


def test_of_the_figure_it_matters_that_it_is_there(whole):
    join()
    figure = Path("reports/studies/figures/leads.svg")
    figure.write_text("<svg/>")
    checked.check()
    figure.unlink()
    with pytest.raises(Fault, match=r"leads.svg: missing; `afterprune studies` writes it"):
        checked.check()
