import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from stages.commands import explain, overhead, power, price
from stages.commands.layout import in_bytes
from stages.commands.price import app
from stages.pipeline.files import write_json
from stages.pipeline.params import parse, read_yaml
from stages.runner.demands import Demand
from stages.runner.times import duration, makespan
from stages.study import probe
from stages.study.bill import Around, bill, stage_seconds
from stages.study.price import Images, Speed, prices
from stages.study.settings import Study

ROOT = Path(__file__).parents[2]
PARTS = {"train": 40, "validation": 4, "test": 8}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with prepared images and the default settings, of small batches."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probe, "ENOUGH_SECONDS", 0.0)
    monkeypatch.setattr(price, "around", lambda *_: Around(5.0, 0.25, 9.0, 2.0))
    monkeypatch.setenv("AFTERPRUNE_WORKERS", "2")
    Path("data/prepared").mkdir(parents=True)
    Path("data/weights").mkdir()
    Path("data/weights/none").touch()
    chance = np.random.default_rng(0)
    for part, count in PARTS.items():
        images = chance.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
        np.save(f"data/prepared/{part}_images.npy", images)
        np.save(f"data/prepared/{part}_labels.npy", np.arange(count) % 10)
    about = {
        "source": "digits",
        "channels": 1,
        "height": 8,
        "width": 8,
        "classes": list("0123456789"),
    }
    about |= {"mean": [0.5], "std": [0.5], **PARTS}
    write_json(Path("data/prepared/description.json"), about)
    tree = deepcopy(read_yaml(ROOT / "stages/presets/default.yaml"))
    tree["train"]["recipe"]["batch_size"] = 8
    return tree


def run(tree):
    Path("params.yaml").write_text(yaml.safe_dump(tree))
    return CliRunner().invoke(app, [])


def test_a_study_is_priced_by_network_in_total_and_by_what_one_more_costs(project):
    everywhere = {"kind": "global", "ratio": 0.5}
    project["prune"]["methods"]["l1"]["allocation"] = everywhere
    done = run(project)
    assert done.exit_code == 0, done.output
    assert re.search(r"^dense .*\n^l1 .*\n^random ", done.stdout, re.MULTILINE)
    assert re.search(r"The study: about \d+ (s|min) by `afterprune run`, 2 replicates", done.stdout)
    assert "One more costs: an arm, under 2 methods" in done.stdout
    assert_adds_up(done.stdout)
    assert "l1: priced as the dense network; " in done.stderr


def assert_adds_up(said):
    """Number x each / side by side is the last column, to rounding, and this adds up."""
    _, bill, *_ = said.split("\n\n")
    *lines, total = [line.split("  ") for line in bill.splitlines()[1:]]
    found = []
    for line in lines:
        number, each, side, seconds = [float(cell) for cell in line[1:] if cell.strip()]
        found.append(seconds)
        assert number * each / side == pytest.approx(seconds, abs=0.06 + number * 0.005 / side)
    assert float(total[-1]) == pytest.approx(sum(found), abs=0.05 * len(found))


def test_several_devices_time_their_steps_together(project, monkeypatch):
    monkeypatch.setenv("AFTERPRUNE_WORKERS", "1")
    project["train"]["devices"] = 2
    del project["prune"]["methods"]["l1"]
    found = price.speeds(parse(Study, project), 1)
    assert found.dense.step > 0
    assert found.pruning["random"] >= 0


def test_images_must_be_prepared(project):
    Path("data/prepared/description.json").unlink()
    done = run(project)
    said = str(done.exception)
    assert said.startswith("the images are not prepared, and `afterprune run prepare` fails: ")
    assert "\n" not in said


def test_a_preset_does_not_prepare_the_images_of_params(project):
    Path("data/prepared/description.json").unlink()
    Path("other.yaml").write_text(yaml.safe_dump(project))
    done = CliRunner().invoke(app, ["--params", "other.yaml"])
    assert "no such file; run `afterprune run prepare`" in str(done.exception)


@pytest.mark.parametrize("data", [{"source": "mnist"}, {"train_limit": 30}])
def test_other_images_than_those_of_params_are_prepared_first(project, monkeypatch, data):
    asked = []
    monkeypatch.setattr(price, "prepare", lambda: asked.append(1))
    project["data"] |= data
    done = run(project)
    assert asked == [1]
    said = str(done.exception)  # as far as preparing has not changed the description
    assert said.startswith("data/prepared holds digits (1x8x8, 10 classes, 44 and 8 images), and")
    assert "\n" not in said


def test_a_preset_of_other_images_is_not_priced_by_those_of_params(project, capsys):
    project["data"]["source"] = "cifar10"
    Path("other.yaml").write_text(yaml.safe_dump(project))
    done = CliRunner().invoke(app, ["--params", "other.yaml"])
    assert "and the study asks for cifar10 (3x32x32, 10 classes); `after" in str(done.exception)
    Path("params.yaml").write_text(yaml.safe_dump(project))
    assert power.replicate_seconds() is None
    assert "the time is not known: data/prepared holds digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("threads", "seeds", "cores", "side"),
    [(1, 12, None, 8), (1, 12, 3, 3), (2, 12, 3, 1), (1, 12, 64, 8), (4, 12, 2, 1), (1, 1, 64, 8)],
)
def test_replicates_side_by_side(project, monkeypatch, threads, seeds, cores, side):
    """Eight processors; of one replicate there are twelve arms."""
    monkeypatch.setattr(price, "workers", lambda threads, devices: max(1, 8 // threads))
    project["compute"]["threads"], project["seeds"] = threads, seeds
    assert price.side_by_side(parse(Study, project), cores) == side


def test_a_dry_run_takes_the_times_of_stages_from_the_price(project):
    Path("params.yaml").write_text(yaml.safe_dump(project))
    found = explain.seconds(2)
    assert found["evaluate@l1-scaled"] == 0.5
    assert found["latency@l1"] == 9.5
    assert found["retrain@l1-scaled"] > 0.5


def needs(study):
    """Return what the stages of a study run after."""
    found = {"code": set(), "validate": {"code"}, "prepare": {"validate"}, "rehearse": {"prepare"}}
    found |= {"dense_curve": {"prepare"}, "train": {"rehearse", "dense_curve"}}
    found |= {"checkpoint": {"train"}, "evaluate_dense": {"train"}}
    arms = [(m, s) for m in study.prune.methods for s in study.retrain.schedules]
    for m in study.prune.methods:
        found |= {f"prune@{m}": {"train"}, f"plan@{m}": {f"prune@{m}", "checkpoint"}}
        found |= {f"evaluate_pruned@{m}": {f"prune@{m}"}}
    found |= {f"latency@{m}": {f"prune@{m}"} for m in study.latency}
    for m, s in arms:
        found |= {f"retrain@{m}-{s}": {f"plan@{m}"}, f"evaluate@{m}-{s}": {f"retrain@{m}-{s}"}}
    last = {f"evaluate@{m}-{s}" for m, s in arms}
    return found | {"headline": set(last), "compare": last}


@pytest.mark.parametrize("cores", [1, 2, 4])
@pytest.mark.parametrize("step", [0.002, 0.05])
def test_the_bill_and_a_dry_run_agree(project, cores, step):
    """What the runner would do with the stages' times takes what the bill says, to 15 %."""
    study = parse(Study, project)
    speed = Speed(step, step / 100, 0.3, 1000, 1000)
    methods = study.prune.methods
    found = prices(
        study,
        speed,
        {name: [speed] for name in methods},
        dict.fromkeys(methods, 0.2),
        Images(22, 1400, 200, 200, 10),
    )
    costs = Around(4.0, 0.4 / cores, 9.0, 2.0)
    stages = stage_seconds(study, found, costs, cores)
    order = needs(study)
    assert order.keys() == stages.keys()
    demands = {name: Demand(gpus=0, alone=name.startswith("latency")) for name in order}
    total = sum(item.seconds for item in bill(study, found, costs, cores))
    assert makespan(order, stages, demands, cores, 0) == pytest.approx(total, rel=0.15)


def test_a_dry_run_says_why_the_price_is_not_known(project, capsys):
    Path("params.yaml").write_text(yaml.safe_dump(project))
    Path("data/prepared/description.json").unlink()
    assert explain.seconds(2) == {}
    said = capsys.readouterr().err
    assert said.startswith("times are not known: data/prepared/description.json: no such file; run")


@pytest.mark.parametrize(
    ("turn", "seconds"),
    [(0.001, 0.005 + 0.3), (0.01, 0.05 + 1.01), (1.0, 5.0 + 20.0)],
    ids=["most turns", "enough seconds", "fewest turns"],
)
def test_the_timing_of_latency_by_hand(turn, seconds):
    """Five turns to warm up; then 300, or a second and the turn that ends it, or 20."""
    assert overhead.timed(turn) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_durations_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"), [(10, "0 kB"), (2345, "2.35 kB"), (4.5e7, "45 MB"), (6e9, "6 GB")]
)
def test_bytes_have_a_unit(number, said):
    assert in_bytes(number) == said
