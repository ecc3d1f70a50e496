"""What is said when a report comes from another environment than the committed one."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from stages.commands.moved import MOST, main, moved

HERE = {"torch": "2.14.1", "instructions": "AVX512", "device": "cpu"}
THERE = HERE | {"instructions": "AVX2", "torch": "2.15.0"}
PAIRED = "method,schedule,baseline,verdict\n"
TABLES = {
    "arms": "method,schedule,test_top1_percent_mean\nl1,finetune,93.478\nl1,onecycle,97.204\n",
    "winners": "method,epochs,winner\nl1,8,onecycle\n",
    "paired": f"{PAIRED}l1,onecycle,finetune,better\n",
    "crossed": "comparison,first,second,verdict\n"
    "same_schedule_best,random-onecycle,l1-onecycle,same\n",
    "claims": "claim,part,comparison,epochs,verdict\n"
    "2,It is best,onecycle (highest in 2 of 2 cells) − the best rival,8,holds\n"
    "4,It takes two budgets,,,cannot be decided: it takes several budgets\n"
    "5,It is ahead,onecycle − finetune,8,holds\n",
}


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A report that is committed; be in its project."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("params.yaml", "seeds: 3\n"), ("build/code.json", "{}\n")):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    report(HERE)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], check=True)


def report(environment, retrained=None, **edits):
    """Write results of an environment, and tables with parts of them edited."""
    for path, made in (("dense", environment), ("arms/l1/onecycle", retrained or environment)):
        file = Path("reports", f"{path}.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"environment": made, "macs": 1.0}))
    for name, text in TABLES.items():
        file = Path("reports/tables", f"{name}.csv")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace(*edits.get(name, ("", ""))))


def commit_pairs(rows):
    """Commit a table of pairs of other rows."""
    Path("reports/tables/paired.csv").write_text(PAIRED + rows)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "commit", "-qam", "more"], check=True)


def test_a_move_without_a_verdict_is_told_in_one_line(committed):
    report(THERE, arms=("97.204", "96.784"))
    assert moved() == (
        "The environment differs from that of the committed report (instructions AVX512 -> AVX2, "
        "torch 2.14.1 -> 2.15.0): mean accuracies moved by up to 0.42 points; no verdict moved."
    )


def test_verdicts_that_moved_are_named(committed):
    report(
        THERE,
        winners=("8,onecycle", "8,none"),
        paired=("better", "undecided"),
        claims=("finetune,8,holds", "finetune,8,cannot be decided"),
    )
    assert moved().endswith(
        "by up to 0.00 points; verdicts moved: l1 at 8 epochs onecycle -> none, l1-onecycle "
        "against finetune better -> undecided, claim 5 (It is ahead: onecycle − finetune, epochs "
        "8) holds -> cannot be decided."
    )


def test_arms_that_are_compared_in_one_environment_alone_moved_no_verdict(committed):
    """Another schedule is the best on validation data, and all arms of l1 diverged."""
    report(
        THERE,
        winners=("l1,8,onecycle", "random,8,none"),
        crossed=("random-onecycle,l1-onecycle,same", "random-scaled,l1-scaled,worse"),
    )
    assert moved().endswith(
        "no verdict moved; no longer compared: l1 at 8 epochs, random-onecycle against l1-onecycle "
        "(same_schedule_best); new: random at 8 epochs, random-scaled against l1-scaled "
        "(same_schedule_best)."
    )


def test_a_row_that_is_gone_leaves_the_others_where_they_are(committed):
    more = "l1,onecycle,finetune,better\nrandom,onecycle,finetune,worse\n"
    commit_pairs(more)
    report(THERE)
    Path("reports/tables/paired.csv").write_text(PAIRED + more.splitlines()[1])
    assert moved().endswith("no verdict moved; no longer compared: l1-onecycle against finetune.")


def test_what_a_claim_counts_is_no_other_comparison(committed):
    report(THERE, claims=("in 2 of 2 cells) − the best rival,8,holds",
                          "in 1 of 2 cells) − the best rival,8,does not hold"))  # fmt: skip
    assert moved().endswith(
        "verdicts moved: claim 2 (It is best: onecycle − the best rival, epochs 8) "
        "holds -> does not hold."
    )


def test_without_git_nothing_is_said(committed, monkeypatch):
    report(THERE)
    monkeypatch.setenv("PATH", "")
    assert moved() == ""


def test_a_line_names_some_of_many_verdicts(committed):
    rows = "".join(f"l1,s{i},finetune,better\n" for i in range(MOST + 2))
    commit_pairs(rows)
    report(THERE)
    Path("reports/tables/paired.csv").write_text(PAIRED + rows.replace("better", "worse"))
    assert moved().endswith("against finetune better -> worse, and 2 more.")


def test_an_arm_of_another_environment_is_enough(committed):
    report(HERE, retrained=THERE)
    assert "torch 2.14.1 -> 2.15.0" in moved()


def same():
    report(HERE, winners=("8,onecycle", "8,none"))


def other_settings():
    report(THERE)
    Path("params.yaml").write_text("seeds: 4\n")


def other_code():
    report(THERE)
    Path("build/code.json").write_text('{"code_train": "1"}\n')


def failed():
    """The results are new, the tables are not."""
    report(THERE)
    os.utime("reports/tables/arms.csv", (0, 0))


def no_commit():
    report(THERE)
    Path(".git/HEAD").write_text("ref: refs/heads/none\n")


def damaged():
    report(THERE)
    for path in ("dense", "arms/l1/onecycle"):
        Path("reports", f"{path}.json").write_text("{")


@pytest.mark.parametrize(
    "change",
    [same, other_settings, other_code, failed, no_commit, damaged],
    ids=lambda f: f.__name__,
)
def test_nothing_is_said_where_something_else_may_be_the_reason(committed, capsys, change):
    change()
    assert moved() == ""
    main()
    assert capsys.readouterr().out.startswith("the report is of the same environment")


def test_comments_of_the_settings_are_no_other_settings(committed):
    report(THERE)
    Path("params.yaml").write_text("# three\nseeds: 3\n")
    assert moved()
