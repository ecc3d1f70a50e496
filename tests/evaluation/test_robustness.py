import numpy as np
import pytest
import torch
from torch import nn

from stages.evaluation.corruptions import corrupted
from stages.evaluation.robustness import (
    DENSE,
    Condition,
    Subject,
    conditions,
    robustness,
    scored,
)
from stages.evaluation.settings import Corruptions
from stages.images.prepared import ImageSet, Prepared

CLEAN, NOISE = Condition(None, 0), Condition("gaussian_noise", 1)
ASKED = Corruptions(kinds=("jpeg", "gaussian_noise"), severities=(1, 2))
ARM = Subject("retrained", "onecycle")


class Bright(nn.Module):
    """Says 1 where an image is brighter than a threshold."""

    def __init__(self, threshold):
        super().__init__()
        self.threshold = threshold

    def forward(self, images):
        light = images.mean(dim=(1, 2, 3)) - self.threshold
        return torch.stack([-light, light], 1)


def data(*values, labels):
    images = torch.tensor(values, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    part = ImageSet(images.contiguous(), torch.tensor(labels))
    return Prepared(part, part, part, torch.zeros(1), torch.ones(1), classes=2)


def test_conditions_are_clean_and_each_kind_at_each_severity():
    asked = Corruptions(kinds=("jpeg", "contrast"), severities=(1, 5))
    assert conditions(asked) == [
        (None, 0),
        ("jpeg", 1),
        ("jpeg", 5),
        ("contrast", 1),
        ("contrast", 5),
    ]
    assert len(conditions(Corruptions())) == 1 + 6 * 5


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_accuracy_is_that_on_the_corrupted_images(batch_size):
    """0.3 brighter, of the values 0, 0.2, 0.3 and 0.6 the last three are above 0.45."""
    grey = data(0, 51, 76, 153, labels=[0, 0, 1, 1])
    networks = {DENSE: Bright(0.45), ARM: Bright(0.25)}
    found = scored(networks, grey, [CLEAN, Condition("brightness", 5)], batch_size)
    assert found[DENSE].tolist() == [0.75, 0.75]
    assert found[ARM].tolist() == [1.0, 0.5]


def test_every_image_has_noise_of_its_own_whatever_the_batch():
    many = data(*[127] * 20, labels=[0] * 20)
    seen = []

    class Seeing(nn.Module):
        def forward(self, images):
            seen.extend((images * 255).round().to(torch.uint8).numpy())
            return torch.zeros(len(images), 2)

    scored({DENSE: Seeing()}, many, [NOISE], 7)
    image = many.test.images[0].numpy()
    assert all(np.array_equal(seen[i], corrupted(image, *NOISE, i)) for i in range(20))


def rows(found):
    frame = robustness({name: np.array(values) for name, values in found.items()}, ASKED)
    keys = ["network", "schedule", "measure", "corruption", "severity"]
    return {tuple(row[key] for key in keys): row for row in frame.to_dict("records")}


def test_the_corruption_error_is_relative_to_the_dense_network_of_the_same_replicate():
    """Of replicate 0: jpeg (0.2 + 0.4) / (0.1 + 0.2) = 2, noise 0.6 / 0.6 = 1; of 1: 1 and 2."""
    found = rows(
        {
            DENSE: [[0.95, 0.9, 0.8, 0.7, 0.7], [0.9, 0.8, 0.8, 0.8, 0.8]],
            ARM: [[0.9, 0.8, 0.6, 0.8, 0.6], [0.9, 0.7, 0.9, 0.5, 0.7]],
        }
    )
    jpeg = found["retrained", "onecycle", "corruption_error", "jpeg", ""]
    assert (jpeg["mean"], jpeg["sd"], jpeg["n"]) == pytest.approx((1.5, 0.5**0.5, 2))
    noise = found["retrained", "onecycle", "corruption_error", "gaussian_noise", ""]
    assert noise["mean"] == pytest.approx(1.5)
    both = found["retrained", "onecycle", "mean_corruption_error", "", ""]
    assert (both["mean"], both["sd"]) == pytest.approx((1.5, 0), abs=1e-12)
    assert found["dense", "", "mean_corruption_error", "", ""]["mean"] == 1
    clean = found["retrained", "onecycle", "accuracy", "", 0]
    assert (clean["mean"], clean["sd"]) == pytest.approx((0.9, 0))
    assert found["dense", "", "accuracy", "jpeg", 2]["mean"] == pytest.approx(0.8)


def test_what_diverged_is_averaged_over_by_nothing():
    nan = float("nan")
    found = rows({DENSE: [[0.9] * 5, [0.9] * 5], ARM: [[0.9] * 5, [nan] * 5]})
    assert np.isnan(found["retrained", "onecycle", "mean_corruption_error", "", ""]["mean"])
    assert np.isnan(found["retrained", "onecycle", "accuracy", "", 0]["mean"])
    assert found["dense", "", "accuracy", "", 0]["mean"] == 0.9


def test_one_replicate_has_no_deviation():
    found = rows({DENSE: [[0.9] * 5]})
    assert np.isnan(found["dense", "", "accuracy", "", 0]["sd"])


def test_the_means_come_first():
    frame = robustness({DENSE: np.ones((1, 5)), ARM: np.ones((1, 5))}, ASKED)
    assert list(dict.fromkeys(frame["measure"])) == [
        "mean_corruption_error",
        "corruption_error",
        "accuracy",
    ]
    assert frame["measure"].value_counts()["accuracy"] == 10
