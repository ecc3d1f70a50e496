import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.benchmarks.memory import step_traffic, traffic
from tests.benchmarks.setting import Setting


class Block(nn.Module):
    """A convolution and a BatchNorm, added to the input, then a ReLU."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.bn = nn.BatchNorm2d(2)
        self.head = nn.Linear(2, 10)

    def forward(self, x):
        return self.head(F.relu(self.bn(self.conv(x)) + x).mean((2, 3)))


def test_two_layers_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.ReLU())
    convolution = relu = 4 * (3 * 2 * 2 * 2)  # float32 [3, 2, 2, 2]
    assert traffic(network, torch.zeros(3, 1, 4, 4)) == 5 * (convolution + relu)


def test_functions_and_additions_count_and_the_head_does_not():
    each = 4 * (3 * 2 * 4 * 4)
    assert traffic(Block(), torch.zeros(3, 2, 4, 4)) == 5 * 4 * each


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("bfloat16", 2)])
def test_a_step_of_resnet_8(tiny, precision, size):
    """Stem: 3 outputs; each of three blocks: 7, with the width doubled where the side is halved."""
    outputs = 16 * 8 * 8 * (3 + 7) + 32 * 4 * 4 * 7 + 64 * 2 * 2 * 7
    moved = step_traffic(tiny(), Setting(precision, channels_last=True), torch.device("cpu"))
    assert moved == 5 * 8 * outputs * size
