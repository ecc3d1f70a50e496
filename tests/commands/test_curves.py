import csv
import io
import subprocess
import sys
from math import nan
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from stages.commands.curves import app, drops, plan_all
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.presets.preset import read_params
from stages.retraining.planning import Pruning
from stages.retraining.settings import SCHEDULE
from stages.schedules.arm import Arm
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Rates

ROOT = Path(__file__).parents[2]
# the CIFAR recipe of Le & Hua 2021: E = 160, 0.1, x0.1 at epochs 80 and 120
CIFAR = str(ROOT / "stages/presets/cifar10_resnet56.yaml")
LITERATURE = str(ROOT / "stages/presets/literature.yaml")


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Return a function that runs the command where no data is prepared, and gives its output."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        result = CliRunner().invoke(app, words)
        if result.exception:
            raise result.exception
        return result.stdout

    return run


@pytest.fixture
def rows(call):
    """Return a function that runs the command with --csv and gives its rows."""
    return lambda *words: list(csv.DictReader(io.StringIO(call(*words, "--csv"))))


def lr_by_epoch(rows, steps_per_epoch):
    return [float(row["lr"]) for row in rows[::steps_per_epoch]]


def test_csv_holds_every_step_exactly(rows):
    got = rows(
        "--params", CIFAR, "--schedule", "onecycle", "--epochs", "7", "--steps-per-epoch", "9"
    )
    lr = 0.1 * np.repeat([1, 0.1, 0.01], [720, 360, 360])
    dense = DenseRates(lr, np.full(1440, 0.9), 9)
    expected = Arm("final", "onecycle").rates(7, 9, dense)
    assert [float(row["lr"]) for row in got] == expected.lr.tolist()
    assert [float(row["momentum"]) for row in got] == expected.momentum.tolist()
    assert [int(row["step"]) for row in got] == list(range(63))
    assert [int(row["epoch"]) for row in got] == [k // 9 for k in range(63)]


def test_curves_of_the_paper_come_out(rows):
    tail = lr_by_epoch(rows("--params", CIFAR, "--schedule", "lr_rewind"), 100)
    assert tail == pytest.approx([0.01] * 32 + [0.001] * 40)
    scaled = lr_by_epoch(rows("--params", CIFAR, "--schedule", "scaled"), 100)
    assert scaled[7:] == pytest.approx([0.1] * 32 + [0.01] * 16 + [0.001] * 17)
    short = lr_by_epoch(rows("--params", CIFAR, "--schedule", "scaled", "--epochs", "40"), 100)
    assert short[4:] == pytest.approx([0.1] * 18 + [0.01] * 9 + [0.001] * 9)


@pytest.mark.parametrize(
    ("words", "peak"),
    [
        ([], 0.1),
        # T / E = 0.4 <= 0.3 / sqrt(0.36) = 0.5 <= 1
        (["--distance", "0.3", "--fraction-pruned", "0.36"], 0.05),
        (["--distance", "0.7"], 0.07),
        (["--distance", "0.1"], 0.04),
    ],
)
def test_the_adaptive_peak_follows_the_distance(rows, words, peak):
    got = rows("--params", LITERATURE, "--schedule", "adaptive_linear", *words)
    assert max(float(row["lr"]) for row in got) == pytest.approx(peak)


def test_the_second_reading_of_scratch_b_needs_the_ratio_too():
    entry = {"curve": "stretch", "start": "fresh", "epochs": "dense_macs_and_retraining"}
    entries = {"scratch_b": parse(SCHEDULE, entry)}
    dense = DenseRates(np.full(20, 0.1), np.full(20, 0.9), 2)
    _, (reason,) = plan_all(entries, 4, dense, Pruning(nan, (1.0,), (1.0,)))
    assert reason.startswith("scratch_b: epochs is dense_macs_and_retraining: give --flops-ratio")
    plans, _ = plan_all(entries, 4, dense, Pruning(2.5, (1.0,), (1.0,)))
    assert plans["scratch_b"].rates.epochs == 25 + 4


def test_the_budget_of_dense_macs_follows_the_flops_ratio(rows, call):
    words = ["--params", LITERATURE, "--schedule", "scratch_b"]
    # E = 20
    assert rows(*words, "--flops-ratio", "2.6", "--steps-per-epoch", "1")[-1]["epoch"] == "51"
    with pytest.raises(Fault, match="scratch_b: epochs is dense_macs: give --flops-ratio"):
        call(*words)


def test_the_summary_has_a_line_per_schedule(call):
    lines = call("--params", CIFAR).splitlines()
    assert [line.split()[0] for line in lines[1:6]] == [
        "finetune",
        "weight_rewind",
        "lr_rewind",
        "scaled",
        "onecycle",
    ]
    assert "epoch 88     72" in lines[2]
    assert "39, 55" in lines[4]
    assert "0.95 → 0.85 → 0.95" in lines[5]
    assert lines[-1].startswith("100 steps per epoch (assumed")


def test_steps_per_epoch_are_those_of_the_prepared_data(call, tmp_path):
    folder = tmp_path / "data/prepared"
    folder.mkdir(parents=True)
    words = ["--params", CIFAR, "--schedule", "onecycle"]
    (folder / "description.json").write_text('{"source": "cifar10", "train": 50000}')
    assert "781 steps per epoch (data/prepared" in call(*words)
    (folder / "description.json").write_text('{"source": "mnist", "train": 60000}')
    assert "100 steps per epoch (assumed" in call(*words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--schedule", "onecyle"], "--schedule is 'onecyle'; did you mean 'onecycle'?"),
        (["--schedule", "lr_rewind", "--epochs", "161"], "lr_rewind: replay: 161 epochs, more"),
        (["--csv"], "--csv takes one --schedule of finetune, weight_rewind"),
        (["--plot", "curves.gif"], "--plot is curves.gif; it should end in .pdf, .png, .svg"),
    ],
)
def test_a_mistake_is_told_in_one_line(call, words, told):
    with pytest.raises(Fault) as fault:
        call("--params", CIFAR, *words)
    assert str(fault.value).startswith(told)
    assert "\n" not in str(fault.value)


def test_several_schedules_are_drawn_into_one_figure(call, tmp_path):
    words = ["--params", CIFAR, "--schedule", "scaled", "--schedule", "onecycle"]
    for name in ("one.svg", "two.svg", "page.pdf", "page.png"):
        assert call(*words, "--plot", name) == ""
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one.svg").stat().st_size < 200_000
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_drops_are_falls_to_half_or_less_from_a_held_rate():
    lr = np.array([1, 1, 0.5, 0.5, 0.3, 0.3, 0.1, 0.01, 0.01, 0.02])
    assert drops(Rates(lr, lr, 2)) == [1, 3]


def test_a_schedule_of_ones_own_is_shown_without_being_in_the_code(call, tmp_path):
    tree = read_params(Path(CIFAR))
    tree["retrain"]["schedules"] = {"mine": {"curve": "onecycle", "max_lr": 0.05, "epochs": 5}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    assert "0.05 at" in call("--schedule", "mine")


def test_nothing_heavy_is_imported_for_numbers():
    script = (
        "import sys; from stages.commands import curves; "
        "sys.exit(bool({'torch', 'matplotlib', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
