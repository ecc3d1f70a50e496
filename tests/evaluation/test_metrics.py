from math import log

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from sklearn.metrics import accuracy_score, log_loss
from torchmetrics.functional.classification import multiclass_accuracy

from stages.evaluation import metrics
from stages.evaluation.metrics import METRICS, accuracy, brier, nll
from stages.pipeline.fault import Fault
from stages.training.inference import top1

pytestmark = pytest.mark.filterwarnings("error")
HALVES = np.array([[log(3), 0.0], [log(3), 0.0]])
"""Two images whose first class has the probability 3/4."""


def split(size, classes=7):
    chance = np.random.default_rng(0)
    logits = 3 * chance.standard_normal((size, classes), dtype=np.float32)
    return logits, chance.integers(0, classes, size)


def scores(logits, labels):
    """Return the scores of the three metrics that this file is about; there may be more."""
    found = metrics.scores(logits, labels)
    assert found.keys() == METRICS.keys()
    return {name: found[name] for name in ("accuracy", "nll", "brier")}


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_equal_logits_score_the_log_of_the_classes_and_one_less_their_part(classes):
    found = scores(np.zeros((3, classes), np.float32), np.array([0, 1, classes - 1]))
    assert found["nll"] == pytest.approx(log(classes), rel=1e-12)
    assert found["brier"] == pytest.approx(1 - 1 / classes, rel=1e-12)


def test_of_equal_logits_the_first_class_is_predicted():
    assert accuracy(np.zeros((4, 3)), np.array([0, 0, 1, 2])) == 0.5


def test_a_certain_prediction_that_is_right_scores_as_well_as_can_be():
    found = scores(1000 * np.eye(3), np.arange(3))
    assert found == {"accuracy": 1.0, "nll": 0.0, "brier": 0.0}
    assert str(found["nll"]) == "0.0"


def test_a_certain_prediction_that_is_wrong_scores_2_and_the_distance():
    found = scores(1000 * np.eye(3), np.array([1, 2, 0]))
    assert found == {"accuracy": 0.0, "nll": 1000.0, "brier": 2.0}


def test_two_images_of_two_classes_by_hand():
    """Probabilities 3/4 and 1/4; right: -ln 3/4 and 2/16; wrong: -ln 1/4 and 2 * 9/16."""
    right, wrong = HALVES[:1], HALVES[1:]
    assert nll(right, np.array([0])) == pytest.approx(log(4 / 3), rel=1e-12)
    assert nll(wrong, np.array([1])) == pytest.approx(log(4), rel=1e-12)
    assert brier(right, np.array([0])) == pytest.approx(0.125, rel=1e-12)
    assert brier(wrong, np.array([1])) == pytest.approx(1.125, rel=1e-12)
    assert scores(HALVES, np.array([0, 1])) == {
        "accuracy": 0.5,
        "nll": pytest.approx(log(16 / 3) / 2, rel=1e-12),
        "brier": pytest.approx(0.625, rel=1e-12),
    }


def test_scores_are_means_over_images_whatever_the_order():
    logits, labels = split(1001)
    order = np.random.default_rng(1).permutation(1001)
    for name, metric in METRICS.items():
        each = [metric(logits[i : i + 1], labels[i : i + 1]) for i in range(1001)]
        assert metric(logits, labels) == pytest.approx(np.mean(each), rel=1e-12), name
        assert metric(logits[order], labels[order]) == pytest.approx(np.mean(each), rel=1e-12)


def test_accuracy_is_that_of_torchmetrics_of_scikit_learn_and_of_the_training_loop():
    logits, labels = split(1001)
    tensors = torch.from_numpy(logits), torch.from_numpy(labels)
    theirs = multiclass_accuracy(*tensors, num_classes=7, average="micro").item()
    assert accuracy(logits, labels) == pytest.approx(theirs, rel=1e-6)
    assert accuracy(logits, labels) == accuracy_score(labels, logits.argmax(1))
    assert accuracy(logits, labels) == top1(*tensors)


def test_nll_is_that_of_scikit_learn_and_of_torch():
    logits, labels = split(1001)
    wide = logits.astype(np.float64)
    assert nll(logits, labels) == pytest.approx(log_loss(labels, softmax(wide, 1)), rel=1e-9)
    theirs = torch.nn.functional.cross_entropy(torch.from_numpy(wide), torch.from_numpy(labels))
    assert nll(logits, labels) == pytest.approx(theirs.item(), rel=1e-12)


def test_nll_of_wide_logits_is_the_float64_mean_over_images():
    logits, labels = split(1001)
    wide = logits.astype(np.float64) * 30
    expected = np.mean(logsumexp(wide, axis=1) - wide[np.arange(1001), labels])
    assert nll(wide, labels) == pytest.approx(expected, rel=1e-12)
    assert nll(logits * np.float32(30), labels) == pytest.approx(expected, rel=1e-6)


def test_brier_is_the_squared_distance_from_the_one_hot_label():
    logits, labels = split(1001)
    distance = softmax(logits.astype(np.float64), 1) - np.eye(7)[labels]
    assert brier(logits, labels) == pytest.approx((distance**2).sum() / 1001, rel=1e-12)


def test_brier_of_two_classes_is_twice_that_of_one_of_them():
    logits, labels = split(1001, classes=2)
    one = softmax(logits.astype(np.float64), 1)[:, 1]
    assert brier(logits, labels) == pytest.approx(2 * np.mean((one - labels) ** 2), rel=1e-12)


def test_logits_at_the_ends_of_float32_do_not_overflow():
    largest = np.finfo(np.float32).max
    logits = np.array([[largest, -largest], [-largest, largest]], np.float32)
    found = scores(logits, np.array([0, 0]))
    assert found["accuracy"] == 0.5
    assert found["nll"] == pytest.approx(float(largest), rel=1e-12)
    assert found["brier"] == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_none(value):
    logits = np.array([[value, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
    assert scores(logits, np.array([0, 2])) == {"accuracy": 1.0, "nll": None, "brier": None}


def test_a_class_that_is_ruled_out_has_a_brier_score_but_no_likelihood():
    found = scores(np.array([[0.0, -np.inf]], np.float32), np.array([1]))
    assert found == {"accuracy": 0.0, "nll": None, "brier": 2.0}


def test_the_logits_stay_as_they_are():
    logits, labels = split(11)
    before = logits.copy()
    scores(logits, labels)
    assert np.array_equal(logits, before)


@pytest.mark.parametrize(
    ("logits", "labels"), [((0, 3), (0,)), ((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 1))]
)
def test_empty_or_mismatched_input_faults(logits, labels):
    with pytest.raises(Fault, match="they must be") as fault:
        scores(np.zeros(logits), np.zeros(labels, np.int64))
    assert f"{list(logits)}" in str(fault.value)
    assert f"{list(labels)}" in str(fault.value)
