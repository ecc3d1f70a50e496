from copy import deepcopy
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.training.optimizer import Optimizer
from stages.training.optimizers.registry import OPTIMIZERS
from stages.training.settings import OPTIMIZER

STEPS = 25
SETTINGS = [
    (momentum, decay, nesterov)
    for momentum, decay, nesterov in product((0.0, 0.9), (0.0, 0.01), (False, True))
    if momentum or not nesterov
]
KINDS = list(OPTIMIZERS)


def settings(kind, **options):
    return parse(OPTIMIZER, {"kind": kind, **options})


@pytest.fixture
def batches(image_set):
    parts = [image_set(8, seed) for seed in range(STEPS)]
    return [(part.images / 255, part.labels) for part in parts]


def backward(network, batch):
    images, labels = batch
    F.cross_entropy(network(images), labels).backward()


def distance(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(((p - q).norm() / q.norm()).item() for p, q in pairs)


def lr_at(step):
    return 0.2 / (1 + step)


def momentum_at(step, start):
    return start and start - 0.01 * step


@pytest.mark.parametrize(("momentum", "decay", "nesterov"), SETTINGS)
def test_sgd_is_torchs_while_lr_and_momentum_change_at_every_step(
    momentum, decay, nesterov, network, batches
):
    ours, theirs = network(dropout=0), network(dropout=0)
    optimizer = Optimizer(ours, settings("sgd", weight_decay=decay, nesterov=nesterov))
    reference = torch.optim.SGD(
        theirs.parameters(), 0.1, momentum, weight_decay=decay, nesterov=nesterov
    )
    for step, batch in enumerate(batches):
        lr, now = lr_at(step), momentum_at(step, momentum)
        backward(ours, batch)
        optimizer.step(lr, now)
        backward(theirs, batch)
        reference.param_groups[0].update(lr=lr, momentum=now)
        reference.step()
        reference.zero_grad()
    assert distance(ours, theirs) <= 1e-6
    assert distance(ours, network(dropout=0)) > 1e-3


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize(
    ("momentum", "options"),
    [
        (0.9, {}),
        (0.9, {"weight_decay": 0.05}),
        (0.95, {"weight_decay": 0.3, "beta2": 0.98, "eps": 1e-6}),
        (0.0, {"weight_decay": 0.01, "beta2": 0.0}),
    ],
)
def test_adamw_is_torchs_while_lr_and_beta1_change_at_every_step(momentum, options, on_device):
    """Both get the same gradients: Adam divides by them, so rounding in the smallest would grow."""
    chance = torch.Generator().manual_seed(0)
    ours = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Linear(20, 30))
    theirs = deepcopy(ours)
    optimizer = Optimizer(ours, settings("adamw", **options))
    decay, beta2 = options.get("weight_decay", 0.0), options.get("beta2", 0.999)
    reference = torch.optim.AdamW(
        theirs.parameters(), betas=(momentum, beta2), eps=options.get("eps", 1e-8),
        weight_decay=decay,
    )  # fmt: skip
    for step in range(8 * STEPS):
        lr, now = 0.02 / (1 + step), momentum and momentum - 0.004 * (step % STEPS)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            q.grad = torch.randn(p.shape, generator=chance)
            p.grad = q.grad.clone()
        optimizer.step(*(map(torch.tensor, (lr, now)) if on_device else (lr, now)))
        reference.param_groups[0].update(lr=lr, betas=(now, beta2))
        reference.step()
    assert distance(ours, theirs) <= 1e-6
    assert optimizer.state()["updates"] == 8 * STEPS


def test_two_steps_of_adamw_by_hand():
    """A weight of 1, gradients 0.5 and -0.25, lr 0.1, decay 0.01, betas 0.9 and 0.999.

    Step 1: m^ = 0.5, v^ = 0.25, w = 0.999 - 0.1. Step 2: m = 0.045 - 0.025 = 0.02, so m^ = 0.02 /
    0.19; v = 0.00024975 + 0.0000625 = 0.00031225, so v^ = 0.00031225 / 0.001999 = 0.3952252^2; w =
    0.899 * 0.999 - 0.1 * 0.1052632 / 0.3952252 = 0.898101 - 0.0266337.
    """
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(1)
    optimizer = Optimizer(network, settings("adamw", weight_decay=0.01))
    for gradient, expected in ((0.5, 0.899), (-0.25, 0.8714673)):
        network.weight.grad = torch.full((1, 1), gradient)
        optimizer.step(0.1, 0.9)
        assert network.weight.item() == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_on_the_device_give_the_bits_of_numbers(kind, network, batches):
    one, other = network(dropout=0), network(dropout=0)
    rule = settings(kind, weight_decay=0.125)
    numbers, tensors = Optimizer(one, rule), Optimizer(other, rule)
    for batch in batches[:3]:
        backward(one, batch)
        backward(other, batch)
        numbers.step(0.125, 0.75)
        tensors.step(torch.tensor(0.125), torch.tensor(0.75))
    assert all(map(torch.equal, one.parameters(), other.parameters()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_continues_another_run(kind, network, batches):
    whole = network(dropout=0)
    rule = settings(kind, weight_decay=0.01)
    optimizer = Optimizer(whole, rule)
    for batch in batches[:5]:
        backward(whole, batch)
        optimizer.step(0.1, 0.9)
    resumed = deepcopy(whole)
    given = {name: buffer.clone() for name, buffer in optimizer.state().items()}
    kept = deepcopy(given)
    again = Optimizer(resumed, rule, state=given)
    for batch in batches[5:10]:
        for net, each in ((whole, optimizer), (resumed, again)):
            backward(net, batch)
            each.step(0.1, 0.9)
    assert all(map(torch.equal, whole.parameters(), resumed.parameters()))
    assert all(torch.equal(given[name], kept[name]) for name in given)


def slots_of(optimizer, name):
    return [t for key, t in optimizer.state().items() if key.partition("/")[2] == name]


@pytest.mark.parametrize("kind", KINDS)
def test_pruned_weights_stay_zero_through_decay_and_momentum(kind, masked, batches):
    network, masks = masked
    options = {"nesterov": True} if kind == "sgd" else {}
    optimizer = Optimizer(network, settings(kind, weight_decay=0.1, **options), masks)
    for batch in batches:
        backward(network, batch)
        optimizer.step(0.1, 0.9)
        for name, mask in masks.items():
            assert not network.get_parameter(name)[~mask].any()
            assert slots_of(optimizer, name)
            assert not any(slot[~mask].any() for slot in slots_of(optimizer, name))
    assert all(network.get_parameter(name)[mask].all() for name, mask in masks.items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_momentum_of_a_dense_run_revives_no_pruned_weight(kind, masked, batches):
    """Trap 8: the slots of the dense run are not zero where the mask is."""
    network, masks = masked
    rule = settings(kind)
    state = {key: torch.ones_like(t) for key, t in Optimizer(network, rule).state().items()}
    optimizer = Optimizer(network, rule, masks, state)
    assert all(slot.any() for slot in optimizer.buffers())
    backward(network, batches[0])
    optimizer.step(0.1, 0.9)
    for name, mask in masks.items():
        assert not network.get_parameter(name)[~mask].any()


@pytest.mark.parametrize("kind", KINDS)
def test_masks_leave_the_other_weights_as_without_masks(kind, masked, batches):
    network, masks = masked
    free = deepcopy(network)
    rule = settings(kind, weight_decay=0.01)
    held, loose = Optimizer(network, rule, masks), Optimizer(free, rule)
    for net, optimizer in ((network.eval(), held), (free.eval(), loose)):
        backward(net, batches[0])
        optimizer.step(0.1, 0.9)
    for name, parameter in network.named_parameters():
        mask = masks.get(name, torch.ones_like(parameter, dtype=torch.bool))
        assert torch.equal(parameter[mask], free.get_parameter(name)[mask])
    assert not torch.equal(network[5].weight, free[5].weight)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_gone_after_a_step(kind, network, batches):
    net = network()
    backward(net, batches[0])
    Optimizer(net, settings(kind)).step(0.1, 0.9)
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pruned", [False, True])
def test_a_frozen_parameter_is_left_alone_with_and_without_a_mask(kind, pruned, masked, batches):
    net, masks = masked
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    optimizer = Optimizer(net, settings(kind, weight_decay=0.1), masks if pruned else {})
    backward(net, batches[0])
    optimizer.step(0.1, 0.9)
    assert torch.equal(net[0].weight, before)
    assert bool(net[5].weight[~masks["5.weight"]].any()) is not pruned
    assert not slots_of(optimizer, "0.weight")


def test_a_mask_of_no_parameter_is_a_fault_that_names_it(network):
    mask = torch.ones(3, dtype=torch.bool)
    with pytest.raises(Fault, match=r"^7\.weight: the mask \[3\] fits no weight of the network$"):
        Optimizer(network(), settings("sgd"), {"7.weight": mask})


def test_a_mask_of_another_shape_is_a_fault_that_names_it(network):
    mask = torch.ones((4, 1, 1, 1), dtype=torch.bool)
    with pytest.raises(Fault, match=r"^0\.weight: the mask \[4, 1, 1, 1\] fits no weight"):
        Optimizer(network(), settings("sgd"), {"0.weight": mask})


def test_the_state_of_another_kind_is_a_fault_that_names_both(network):
    net = network()
    state = Optimizer(net, settings("sgd")).state()
    line = (
        "params.yaml: train.recipe.optimizer.kind is 'adamw', which keeps first_moment, "
        "second_moment, updates; the state to continue from holds velocity"
    )
    with pytest.raises(Fault) as fault:
        Optimizer(net, settings("adamw"), state=state)
    assert f"{fault.value}" == line


def test_an_empty_state_is_not_one_to_continue(network):
    with pytest.raises(Fault, match=r"which keeps velocity; the state .* holds nothing$"):
        Optimizer(network(), settings("sgd"), state={})


@pytest.mark.parametrize("lacking", [True, False])
def test_a_state_of_another_network_is_a_fault_that_names_the_slot(lacking, network):
    net = network()
    state = Optimizer(net, settings("sgd")).state()
    if lacking:
        del state["velocity/5.bias"]
    else:
        state["velocity/5.bias"] = torch.zeros(1)
    with pytest.raises(Fault, match=r"^velocity/5\.bias: the state .* has none of this shape"):
        Optimizer(net, settings("sgd"), state=state)


def test_a_state_may_hold_parameters_that_are_frozen_now(network):
    net = network()
    state = {k: torch.ones_like(v) for k, v in Optimizer(net, settings("sgd")).state().items()}
    net[0].weight.requires_grad_(False)
    optimizer = Optimizer(net, settings("sgd"), state=state)
    assert optimizer.state().keys() == state.keys() - {"velocity/0.weight"}
    assert all(buffer.all() for buffer in optimizer.buffers())


def test_a_parameter_without_gradient_is_named(network, batches):
    net = network()
    net.add_module("aside", torch.nn.Linear(2, 2))
    optimizer = Optimizer(net, settings("sgd"))
    net[:6](batches[0][0]).sum().backward()
    with pytest.raises(Fault, match=r"^aside\.weight: the loss does not depend on it"):
        optimizer.step(0.1, 0.9)
