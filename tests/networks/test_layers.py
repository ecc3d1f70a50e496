import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from stages.networks.layers import ChannelShortcut, initialise, shortcut


def routed(x, source, stride):
    matrix = torch.zeros(len(source), x.shape[1], dtype=x.dtype)
    for out, channel in enumerate(source):
        if channel >= 0:
            matrix[out, channel] = 1
    return torch.einsum("oc,bchw->bohw", matrix, x[:, :, ::stride, ::stride])


def test_new_shortcut_subsamples_and_appends_zero_channels():
    x = torch.arange(2 * 5 * 5, dtype=torch.float32).reshape(1, 2, 5, 5)
    y = ChannelShortcut(2, 2, 4)(x)
    assert y.shape == (1, 4, 3, 3)
    assert torch.equal(y[:, :2], x[:, :, [0, 2, 4]][..., [0, 2, 4]])
    assert not y[:, 2:].any()


def test_gradient_flows_through_the_shortcut():
    x = torch.ones(1, 2, 4, 4, requires_grad=True)
    ChannelShortcut(2, 2, 4)(x).sum().backward()
    expected = torch.zeros(1, 2, 4, 4)
    expected[:, :, ::2, ::2] = 1
    assert torch.equal(x.grad, expected)


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=6), st.integers(1, 2))
def test_any_source_routes_values_and_gradient_like_its_matrix(source, stride):
    module = ChannelShortcut(stride, 4, 4)
    module.connect(torch.tensor(source))
    x = torch.randn(2, 4, 3, 3, requires_grad=True)
    upstream = torch.randn(module(x).shape)
    (ours,) = torch.autograd.grad(module(x), x, upstream)
    (theirs,) = torch.autograd.grad(routed(x, source, stride), x, upstream)
    assert torch.equal(module(x), routed(x, source, stride))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("source", "copied"), [([0, 1, -1], 2), ([0, 1], 2), ([1, 0], None), ([-1, 0], None)]
)
def test_loading_a_state_decides_again_whether_padding_is_enough(source, copied):
    module = copy.deepcopy(ChannelShortcut(1, 2, len(source)))
    module.load_state_dict({"source": torch.tensor(source)})
    assert module.copied == copied
    x = torch.randn(1, 2, 2, 2)
    assert torch.equal(module(x), routed(x, source, 1))


def test_shortcut_is_the_identity_where_the_shape_stays():
    assert isinstance(shortcut(1, 8, 8), torch.nn.Identity)
    assert isinstance(shortcut(2, 8, 8), ChannelShortcut)
    assert isinstance(shortcut(1, 8, 16), ChannelShortcut)


def test_convolutions_are_drawn_by_fan_out():
    conv = torch.nn.Conv2d(4, 512, 3, bias=True)
    torch.manual_seed(0)
    initialise(conv)
    assert conv.weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)
    assert not conv.bias.any()


def test_initialise_resets_batchnorm_and_its_statistics():
    norm = torch.nn.BatchNorm2d(3)
    norm(torch.randn(8, 3, 2, 2))
    torch.nn.init.constant_(norm.weight, 7)
    initialise(torch.nn.Sequential(norm))
    x = torch.randn(2, 3, 2, 2)
    assert norm.num_batches_tracked == 0
    torch.testing.assert_close(norm.eval()(x), F.batch_norm(x, torch.zeros(3), torch.ones(3)))
