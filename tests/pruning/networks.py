"""Networks that no registry holds: each has one way of tying channels that surgery must respect."""

import torch
import torch.nn.functional as F
from torch import nn


def norm(channels):
    return nn.BatchNorm2d(channels)


class Chunked(nn.Module):
    """Halves the channels by their number: their count may not change."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.left = nn.Conv2d(4, 6, 3, padding=1)
        self.right = nn.Conv2d(4, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        left, right = self.stem(x).chunk(2, 1)
        return self.fc((self.left(left) * self.right(right).sigmoid()).mean((2, 3)))


class FixedView(nn.Module):
    """Flattens to a number written in the code."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 16, 5)

    def forward(self, x):
        x = F.adaptive_max_pool2d(F.relu(self.second(F.relu(self.first(x)))), 4)
        return self.fc(x.view(-1, 64))


class Flattened(nn.Module):
    """LeNet-like, with biases and several positions per channel in the first linear layer."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 10, 3), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(160, 12), nn.ReLU(), nn.Linear(12, 5))

    def forward(self, x):
        return self.head(self.features(x))


class ConvHead(nn.Module):
    """Ends in a convolution: its filters are the classes."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3)
        self.head = nn.Conv2d(8, 5, 1)

    def forward(self, x):
        return F.relu(self.head(F.relu(self.body(x)))).mean((2, 3))


class Shared(nn.Module):
    """Runs one convolution twice."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.twice = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = self.twice(F.relu(self.twice(F.relu(self.stem(x)))))
        return self.fc(self.last(F.relu(x)).mean((2, 3)))


class PaddedShortcut(nn.Module):
    """A residual stage whose shortcut pads channels on both sides by a number in the code."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = norm(8)
        self.conv1 = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = norm(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn2 = norm(16)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = F.relu(self.bn(self.stem(x)))
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        out += F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4))
        return self.fc(F.relu(out).mean((2, 3)))


class Grouped(nn.Module):
    """A ResNeXt block: filters leave by groups of the middle convolution."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 1)
        self.reduce = nn.Conv2d(12, 16, 1, bias=False)
        self.bn1 = norm(16)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.bn2 = norm(16)
        self.expand = nn.Conv2d(16, 12, 1, bias=False)
        self.bn3 = norm(12)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = F.relu(self.stem(x))
        out = F.relu(self.bn2(self.grouped(F.relu(self.bn1(self.reduce(x))))))
        return self.fc(F.relu(x + self.bn3(self.expand(out))).mean((2, 3)))


class Excited(nn.Module):
    """An inverted residual with a depthwise convolution and squeeze-and-excitation by linears."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.expand = nn.Conv2d(8, 16, 1, bias=False)
        self.bn1 = norm(16)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.bn2 = norm(16)
        self.squeeze = nn.Linear(16, 4)
        self.excite = nn.Linear(4, 16)
        self.project = nn.Conv2d(16, 8, 1, bias=False)
        self.bn3 = norm(8)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        out = F.silu(self.bn2(self.depthwise(F.silu(self.bn1(self.expand(x))))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(out.mean((2, 3))))))
        out = out * gate[:, :, None, None]
        return self.fc((x + self.bn3(self.project(out))).mean((2, 3)))


class Attended(nn.Module):
    """Weighs positions by a map that mixes all channels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = self.stem(x)
        x = self.last(x * x.mean(1, keepdim=True).sigmoid())
        return self.fc(x.mean((2, 3)))


class InputResidual(nn.Module):
    """Adds the image itself: the first convolution's width is the image's."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.last = nn.Conv2d(3, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        return self.fc(self.last(F.relu(self.first(x) + x)).mean((2, 3)))


class Concatenated(nn.Module):
    """Two branches, one normalised after the concatenation, with a nonzero activation of 0."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 5, 3, padding=1)
        self.right = nn.Conv2d(3, 7, 1)
        self.bn = norm(12)
        self.last = nn.Conv2d(12, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = self.bn(torch.cat([self.left(x), self.right(x)], 1)).sigmoid()
        return self.fc(self.last(x).mean((2, 3)))


class Forked(nn.Module):
    """Two layers read the stem."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.left = nn.Conv2d(8, 4, 3, padding=1)
        self.fc = nn.Linear(4, 5)
        self.right = nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.stem(x))
        return self.fc(F.relu(self.left(x)).mean((2, 3))) + self.right(x.mean((2, 3)))


class Normalised(nn.Module):
    """Uses a norm that cannot be cut."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.last = nn.Conv2d(8, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        return self.fc(self.last(F.relu(self.norm(self.stem(x)))).mean((2, 3)))


class Shuffled(nn.Module):
    """Permutes channels between two convolutions, as ShuffleNet does."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = self.middle(self.stem(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.fc(self.last(x).mean((2, 3)))


class Plain(nn.Module):
    """BatchNorms without scale and shift: one keeps running statistics, one does not."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8, affine=False)
        self.last = nn.Conv2d(8, 6, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(6, affine=False, track_running_stats=False)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = self.bn2(self.last(F.relu(self.bn(self.stem(x)))))
        return self.fc(F.relu(x).mean((2, 3)))


class Parametric(nn.Module):
    """PReLUs, with a slope per channel and with one for all."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.slopes = nn.PReLU(8)
        self.middle = nn.Conv2d(8, 6, 3, padding=1)
        self.last = nn.Conv2d(6, 4, 3, padding=1)
        self.slope = nn.PReLU()
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = self.slope(self.middle(self.slopes(self.stem(x))))
        return self.fc(self.last(x).mean((2, 3)))


class Auxiliary(nn.Module):
    """Has a second head that runs only in training; its logits are added, or returned beside."""

    def __init__(self, pair=False):
        super().__init__()
        self.pair = pair
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)
        self.aux = nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU())
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = F.relu(self.stem(x))
        logits = self.fc(F.relu(self.last(x)).mean((2, 3)))
        if not self.training:
            return logits
        more = self.head(self.aux(x).mean((2, 3)))
        return (logits, more) if self.pair else logits + 0.3 * more


class Pooled(nn.Module):
    """Means over dims that are counted from the end: over positions, or over channels too."""

    def __init__(self, dims):
        super().__init__()
        self.dims = dims
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.last = nn.Conv2d(8 if -3 not in dims else 1, 6, 3, padding=1)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        x = F.relu(self.stem(x)).mean(self.dims, keepdim=True)
        return self.fc(F.relu(self.last(x)).mean((2, 3)))


class Talkative(nn.Module):
    """Returns the stem's channels beside the logits, in training alone."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.stem(x)).mean((2, 3))
        return torch.cat([self.fc(x), x], 1) if self.training else self.fc(x)
