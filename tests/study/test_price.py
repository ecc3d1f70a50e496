from copy import deepcopy
from pathlib import Path

import pytest

from stages.pipeline.params import parse, read_yaml
from stages.study.price import Images, Price, Speed, clock, prices
from stages.study.settings import Study

ROOT = Path(__file__).parents[2]
DENSE = Speed(step=2.0, image=0.01, nbytes=1000, macs=600)
SMALL = Speed(step=1.0, image=0.005, nbytes=400, macs=200)
SMALLER = Speed(step=0.5, image=0.001, nbytes=100, macs=100)
IMAGES = Images(steps=10, tested=100, classes=3)
LOGITS = 100 * 3 * 4


@pytest.fixture(autouse=True)
def project(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(**schedules):
    tree = deepcopy(read_yaml(ROOT / "stages/presets/default.yaml"))
    tree["train"] |= {"epochs": 20, "checkpoint_every": 5}
    tree["retrain"] |= {"epochs": 8, "schedules": schedules}
    return parse(Study, tree)


def by_arm(parts):
    return {(part.method, part.schedule): part for part in parts}


def test_the_dense_run_by_hand():
    """20 epochs of 10 steps of 2 s and a test of 1 s, one test more; four checkpoints with SGD."""
    dense, *_ = prices(study(a={"curve": "replay"}), DENSE, {"l1": [SMALL]}, IMAGES)
    assert dense == Price("", "", 20 * (10 * 2.0 + 1.0) + 1.0, 1000 + 4 * 2000 + LOGITS)


def test_given_weights_are_tested_once(tmp_path):
    (tmp_path / "net.pt").touch()
    given = study(a={"curve": "replay"})
    given = given.model_copy(
        update={"train": given.train.model_copy(update={"weights": f"{tmp_path}/net.pt"})}
    )
    assert prices(given, DENSE, {"l1": [SMALL]}, IMAGES)[0].seconds == 1.0


def test_an_arm_by_hand():
    """8 epochs of 10 steps of 1 s and a test of 0.5 s; both networks are tested once more."""
    parts = by_arm(prices(study(a={"curve": "replay"}), DENSE, {"l1": [SMALL]}, IMAGES))
    assert parts["l1", ""].seconds == pytest.approx(1.0)
    assert parts["l1", "a"].seconds == pytest.approx(8 * 10.5 + 1.0)
    assert parts["l1", "a"].nbytes == 2 * 400 + 2 * LOGITS


def test_a_rewound_arm_keeps_a_checkpoint_more():
    parts = prices(study(a={"curve": "replay", "start": "rewound"}), DENSE, {"l1": [SMALL]}, IMAGES)
    assert parts[-1].nbytes == 2 * 400 + 2 * LOGITS + 2000


def test_rounds_add_up_at_their_own_sizes():
    found = prices(study(a={"curve": "replay"}), DENSE, {"l1": [SMALL, SMALLER]}, IMAGES)
    assert found[-1].seconds == pytest.approx(8 * 10.5 + 1.0 + 8 * 5.1 + 0.2)
    assert found[-1].nbytes == 2 * 500 + 2 * LOGITS


@pytest.mark.parametrize(("epochs", "budget"), [(3, 3), ("dense", 20), ("dense_macs", 60)])
def test_an_arm_has_its_own_budget(epochs, budget):
    arm = {"curve": "constant", "lr": 0.1, "start": "fresh", "epochs": epochs}
    found = prices(study(a=arm), DENSE, {"l1": [SMALL]}, IMAGES)
    assert found[-1].seconds == pytest.approx(budget * 10.5 + 1.0)


PARTS = [Price("", "", 10, 0), Price("a", "", 1, 0), Price("a", "x", 5, 0), Price("a", "y", 8, 0)]


@pytest.mark.parametrize(
    ("replicates", "workers", "seconds"),
    [(1, 1, 24), (4, 2, 48), (4, 4, 24), (1, 4, 19), (4, 100, 19)],
)
def test_the_clock_is_no_shorter_than_the_longest_chain(replicates, workers, seconds):
    assert clock(PARTS, replicates, workers) == seconds
