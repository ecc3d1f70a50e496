import math

import pytest
import torch
import torch.nn.functional as F

from stages.training.losses import cross_entropy, label_smoothing

LOGITS = torch.tensor([[math.log(2), 0.0], [math.log(2), 0.0]])
"""Both images: probabilities 2/3 and 1/3."""
LABELS = torch.tensor([0, 1])


def test_cross_entropy_by_hand():
    expected = -(math.log(2 / 3) + math.log(1 / 3)) / 2
    assert cross_entropy(LOGITS, LABELS).item() == pytest.approx(expected, rel=1e-6)


def test_label_smoothing_by_hand():
    """With s = 0.2 and two classes the target is 0.9 and 0.1."""
    first = -0.9 * math.log(2 / 3) - 0.1 * math.log(1 / 3)
    second = -0.1 * math.log(2 / 3) - 0.9 * math.log(1 / 3)
    loss = label_smoothing(LOGITS, LABELS, smoothing=0.2).item()
    assert loss == pytest.approx((first + second) / 2, rel=1e-6)
    alone = label_smoothing(LOGITS[:1], LABELS[:1], smoothing=0.2)
    assert alone.item() == pytest.approx(first, rel=1e-6)


def test_label_smoothing_of_many_classes_by_its_definition():
    logits = torch.randn((7, 5), generator=torch.Generator().manual_seed(0)).double()
    labels = torch.arange(7) % 5
    target = 0.7 * F.one_hot(labels, 5) + 0.3 / 5
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(label_smoothing(logits, labels, smoothing=0.3), expected)
