from math import log

import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from sklearn.metrics import accuracy_score, log_loss
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
)

from stages.evaluation import metrics
from stages.evaluation.metrics import (
    METRICS,
    accuracy,
    adaptive_ece,
    agreement,
    brier,
    class_correct,
    confidence_bins,
    ece,
    nll,
    top5,
)
from stages.pipeline.fault import Fault
from stages.training.inference import top1

pytestmark = pytest.mark.filterwarnings("error")
HALVES = np.array([[log(3), 0.0], [log(3), 0.0]])
"""Two images whose first class has the probability 3/4."""


def split(size, classes=7):
    chance = np.random.default_rng(0)
    logits = 3 * chance.standard_normal((size, classes), dtype=np.float32)
    return logits, chance.integers(0, classes, size)


def confident(*probabilities):
    """Return the logits of two classes, the first of which has each of these probabilities."""
    first = np.array(probabilities)
    return np.stack([np.log(first), np.log(1 - first)], axis=1)


def scores(logits, labels):
    """Return the scores of the three metrics that most of this file is about."""
    found = metrics.scores(logits, labels)
    assert METRICS.keys() - found.keys() <= {"top5"}
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
    for name in ("accuracy", "top5", "nll", "brier"):
        metric = METRICS[name]
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
    expected = r"they must be \[N, classes\] and \[N\] with N of at least 1$"
    with pytest.raises(Fault, match=f": {expected}") as fault:
        scores(np.zeros(logits), np.zeros(labels, np.int64))
    assert f"{list(logits)}" in str(fault.value)
    assert f"{list(labels)}" in str(fault.value)


def test_ece_by_hand():
    """Bins of width 1/15: 0.62 and 0.65 share (9/15, 10/15]; 0.95 is alone in (14/15, 1].

    One of two is right at a mean confidence of 0.635; none of one at 0.95:
    2/3 * |0.5 - 0.635| + 1/3 * 0.95 = 0.09 + 0.316667.
    """
    logits, labels = confident(0.62, 0.65, 0.95), np.array([0, 1, 1])
    assert ece(logits, labels) == pytest.approx(2 / 3 * 0.135 + 1 / 3 * 0.95, rel=1e-12)


def test_a_confidence_at_an_edge_belongs_to_the_bin_below_it():
    """Confidence 2/3 = 10/15 is in (9/15, 10/15], with 0.62 and not with 0.68 (Guo 2017)."""
    logits = np.array([[0.0, -np.inf, -np.inf]])
    assert ece(logits, np.array([0])) == 0.0
    below, above = confident(0.62, 10 / 15 - 1e-9), confident(0.68, 10 / 15 - 1e-9)
    labels = np.array([0, 1])
    assert ece(below, labels) == pytest.approx(abs(0.62 + 10 / 15 - 1) / 2, abs=1e-8)
    assert ece(above, labels) == pytest.approx((0.32 + 10 / 15) / 2, abs=1e-8)


def test_ece_is_that_of_torchmetrics():
    logits, labels = split(1001)
    wide = logits.astype(np.float64)
    theirs = multiclass_calibration_error(
        torch.from_numpy(wide), torch.from_numpy(labels), num_classes=7, n_bins=15, norm="l1"
    )
    assert ece(wide, labels) == pytest.approx(theirs.item(), rel=1e-6)


def test_adaptive_ece_by_hand():
    """16 images in 15 bins: the first bin has the two least confident, each other bin one.

    0.6 (right) and 0.7 (wrong) together: |1.3 - 1|; 14 of confidence 0.9 that are right: 0.1 each.
    """
    logits = confident(0.7, 0.6, *[0.9] * 14)
    labels = np.array([1, *[0] * 15])
    assert adaptive_ece(logits, labels) == pytest.approx((0.3 + 14 * 0.1) / 16, rel=1e-12)


def test_adaptive_ece_is_that_of_quantile_bins():
    logits, labels = split(1500)
    probabilities = softmax(logits.astype(np.float64), 1)
    confidence, right = probabilities.max(1), logits.argmax(1) == labels
    order = np.argsort(confidence)
    parts = confidence[order].reshape(15, 100).mean(1) - right[order].reshape(15, 100).mean(1)
    assert adaptive_ece(logits, labels) == pytest.approx(np.abs(parts).mean(), rel=1e-9)


@pytest.mark.parametrize("error", [ece, adaptive_ece])
def test_calibration_errors_are_0_for_certainty_and_1_for_certain_error(error):
    assert error(1000 * np.eye(20), np.arange(20)) == 0.0
    assert error(1000 * np.eye(20), np.roll(np.arange(20), 1)) == 1.0


@pytest.mark.parametrize("error", [ece, adaptive_ece])
def test_calibration_errors_do_not_depend_on_the_order(error):
    logits, labels = split(1001)
    order = np.random.default_rng(1).permutation(1001)
    assert error(logits[order], labels[order]) == pytest.approx(error(logits, labels), rel=1e-12)


def test_top5_is_that_of_torchmetrics():
    logits, labels = split(1001)
    tensors = torch.from_numpy(logits), torch.from_numpy(labels)
    theirs = multiclass_accuracy(*tensors, num_classes=7, average="micro", top_k=5).item()
    assert top5(logits, labels) == pytest.approx(theirs, rel=1e-6)


def test_of_equal_logits_the_first_five_classes_count():
    assert [top5(np.zeros((1, 7)), np.array([label])) for label in range(7)] == [1.0] * 5 + [
        0.0
    ] * 2


@pytest.mark.parametrize(("classes", "told"), [(2, False), (5, False), (6, True)])
def test_top5_is_told_of_more_than_five_classes(classes, told):
    assert ("top5" in metrics.scores(*split(11, classes))) is told


def test_agreement_is_the_part_of_equal_predictions():
    ours = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 2.0], [3.0, 1.0]])
    theirs = np.array([[9.0, 1.0], [1.0, 9.0], [9.0, 1.0], [2.0, 1.0]])
    assert agreement(ours, theirs) == 0.75


def test_agreement_is_that_of_torchmetrics():
    (ours, _), theirs = split(1001), np.random.default_rng(2).standard_normal((1001, 7))
    tensors = torch.from_numpy(ours), torch.from_numpy(theirs.argmax(1))
    expected = multiclass_accuracy(*tensors, num_classes=7, average="micro").item()
    assert agreement(ours, theirs) == pytest.approx(expected, rel=1e-6)


def test_the_right_images_of_each_class_by_hand():
    """Predicted 0, 0, 1, 2 of the classes 0, 1, 1, 2; a class 3 without images has none."""
    logits = np.eye(4)[[0, 0, 1, 2]]
    assert class_correct(logits, np.array([0, 1, 1, 2])).tolist() == [1, 1, 1, 0]


def test_the_right_images_of_each_class_are_the_recall_of_torchmetrics():
    logits, labels = split(1001)
    tensors = torch.from_numpy(logits), torch.from_numpy(labels)
    theirs = multiclass_accuracy(*tensors, num_classes=7, average=None).numpy()
    ours = class_correct(logits, labels) / np.bincount(labels, minlength=7)
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_bins_of_confidence_by_hand():
    """As in the expected calibration error by hand: (9/15, 10/15] is bin 9, (14/15, 1] is 14."""
    bins = confidence_bins(confident(0.62, 0.65, 0.95), np.array([0, 1, 1]))
    assert np.flatnonzero(bins.images).tolist() == [9, 14]
    assert (bins.images[9], bins.correct[9], bins.images[14], bins.correct[14]) == (2, 1, 1, 0)
    assert bins.confidence[[9, 14]] == pytest.approx([1.27, 0.95], rel=1e-12)


def test_bins_hold_every_image_once():
    logits, labels = split(1001)
    bins = confidence_bins(logits, labels)
    assert (bins.images.sum(), bins.correct.sum()) == (1001, 1001 * accuracy(logits, labels))
    gaps = np.abs(bins.confidence - bins.correct)
    assert gaps.sum() / 1001 == pytest.approx(ece(logits, labels), rel=1e-12)
