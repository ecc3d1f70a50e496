import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.images.normalise import normalise
from stages.images.prepared import ImageSet
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.replicates.seeds import DENSE
from stages.schedules.rates import Rates
from stages.training.loop import check_optimizer
from stages.training.masks import check_masks
from stages.training.optimizer import Optimizer
from stages.training.settings import OPTIMIZER, Recipe
from stages.training.tables import epoch_tables

SHAPE = (26, 1, 6, 6)
SGD = parse(OPTIMIZER, {"kind": "sgd"})


@pytest.fixture
def still():
    """Rates of one epoch of three steps that moves nothing."""
    return Rates(np.zeros(3), np.zeros(3), 3)


def test_every_step_takes_its_own_lr_and_momentum_of_its_rates(begin, rates, monkeypatch):
    taken = []
    step = Optimizer.step

    def spy(self, lr, momentum):
        taken.append((float(lr), float(momentum)))
        step(self, lr, momentum)

    monkeypatch.setattr(Optimizer, "step", spy)
    run = begin()
    for _ in range(4):
        run.advance()
    expected = torch.tensor(np.stack([rates.lr, rates.momentum], 1))
    torch.testing.assert_close(
        torch.tensor(taken, dtype=torch.float64), expected, rtol=1e-7, atol=0
    )


def test_the_loss_is_the_mean_over_the_images_trained_on(begin, data, still, network):
    plain = Recipe(batch_size=8)
    free = network(dropout=0)
    free[1] = nn.Identity()
    run = begin(recipe=plain, rates=still, network=free)
    index = epoch_tables(SHAPE, plain, run.seed, run.stream, 0).images.flatten()
    images = normalise(data.train.images[index], data.mean, data.std)
    expected = F.cross_entropy(run.network(images), data.train.labels[index]).item()
    assert run.advance() == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_that_of_smoothed_labels(begin, data, still, network):
    smooth = Recipe(batch_size=8, loss={"kind": "label_smoothing", "smoothing": 0.2})
    run = begin(recipe=smooth, rates=still, network=network(dropout=0))
    index = epoch_tables(SHAPE, smooth, run.seed, run.stream, 0).images
    expected = 0.0
    for batch in index:
        logits = run.network(normalise(data.train.images[batch], data.mean, data.std)).double()
        target = F.one_hot(data.train.labels[batch], 3) * 0.8 + 0.2 / 3
        expected += -(logits.log_softmax(1) * target).sum(1).mean().item() / len(index)
    assert run.advance() == pytest.approx(expected, rel=1e-5)


def test_a_run_learns(begin):
    run = begin()
    before = run.accuracy(run.data.test)
    losses = [run.advance() for _ in range(4)]
    assert losses[-1] < losses[0]
    assert run.accuracy(run.data.test) > max(before, 0.5)


def test_accuracy_is_that_of_the_network_in_evaluation_mode(begin, data):
    run = begin()
    run.advance()
    run.network.eval()
    logits = run.network(normalise(data.test.images, data.mean, data.std))
    run.network.train()
    answers = [int(row.argmax()) for row in logits]
    right = [a == y for a, y in zip(answers, data.test.labels.tolist(), strict=True)]
    assert run.accuracy(data.test) == pytest.approx(sum(right) / 15)
    assert run.network.training


def test_accuracy_changes_nothing(begin, snapshot, same):
    run = begin()
    run.advance()
    before = snapshot(run)
    run.accuracy(run.data.validation)
    assert same(snapshot(run), before)


def test_an_empty_set_has_no_accuracy(begin, data):
    empty = ImageSet(data.test.images[:0], data.test.labels[:0])
    assert begin().accuracy(empty) is None


def test_an_epoch_takes_nothing_from_torchs_own_generator(begin, snapshot, same):
    one, other = begin(), begin()
    for number in range(2):
        torch.manual_seed(number)
        one.advance()
        torch.manual_seed(99)
        torch.rand(number)
        other.advance()
    assert same(snapshot(one), snapshot(other))


@pytest.mark.parametrize("other", [{"seed": 4}, {"stream": DENSE}])
def test_another_seed_or_stream_trains_otherwise(other, begin, snapshot, same):
    one, two = begin(), begin(**other)
    one.advance()
    two.advance()
    assert not same(snapshot(one), snapshot(two))


@pytest.mark.parametrize("which", ["recipe", "other_recipe"])
@pytest.mark.parametrize("epoch", range(4))
def test_a_restored_run_goes_on_as_the_undisturbed_one(
    which, epoch, begin, network, snapshot, same, request
):
    recipe = request.getfixturevalue(which)
    whole, resumed = begin(recipe=recipe), begin(recipe=recipe, network=network(seed=8))
    for _ in range(epoch):
        whole.advance()
    state = snapshot(whole)
    resumed.advance()
    resumed.restore(state, epoch)
    for _ in range(epoch, 4):
        assert resumed.advance() == whole.advance()
    assert same(snapshot(resumed), snapshot(whole))
    assert resumed.epoch == 4


def test_a_state_does_not_change_when_the_run_goes_on(begin, snapshot, same):
    run = begin()
    state, copy = run.state(), snapshot(run)
    run.advance()
    assert same(state, copy)


def test_a_state_holds_weights_statistics_and_momentum(begin):
    run = begin()
    run.advance()
    state = run.state()
    assert state["network/1.running_mean"].any()
    assert state["network/1.num_batches_tracked"] == 3
    assert state["velocity/5.weight"].any()
    assert all(name.startswith(("network/", "velocity/")) for name in state)


def test_a_state_holds_all_that_adamw_keeps(begin, other_recipe):
    run = begin(recipe=other_recipe)
    run.advance()
    state = run.state()
    assert state["updates"] == 3
    assert state["first_moment/5.weight"].any()
    assert (state["second_moment/5.weight"] >= 0).all()


def test_a_state_of_another_optimizer_is_a_fault(begin, other_recipe):
    with pytest.raises(Fault, match=r"^params\.yaml: train\.recipe\.optimizer\.kind is 'adamw'"):
        begin(recipe=other_recipe).restore(begin().state(), 0)


def test_pruned_weights_are_zero_after_every_epoch(begin, masked):
    network, masks = masked
    run = begin(network=network, masks=masks)
    for _ in range(4):
        run.advance()
        assert not any(network.get_parameter(name)[~mask].any() for name, mask in masks.items())


def test_a_revived_weight_is_a_fault_that_names_its_layer(begin, masked):
    network, masks = masked
    run = begin(network=network, masks=masks)
    run.optimizer.masked, run.optimizer.masks = run.optimizer.masked[:1], run.optimizer.masks[:1]
    with pytest.raises(Fault, match=r"^5\.weight: \d+ of \d+ pruned weights are not zero"):
        run.advance()


def test_one_weight_is_enough_to_tell(masked):
    network, masks = masked
    check_masks(dict(network.named_parameters()), masks)
    where = (~masks["0.weight"]).nonzero()[0]
    network[0].weight.data[tuple(where)] = 1e-30
    with pytest.raises(Fault, match=r"^0\.weight: 1 of \d+ pruned weight"):
        check_masks(dict(network.named_parameters()), masks)


@pytest.mark.parametrize("name", ["0.wieght", "5.weight"])
def test_a_mask_that_fits_no_weight_is_a_fault(name, masked):
    network, masks = masked
    with pytest.raises(Fault, match=rf"^{name}: the mask \[4, 1, 3, 3\] fits no weight"):
        check_masks(dict(network.named_parameters()), {name: masks["0.weight"]})


def test_an_optimizer_from_before_surgery_is_a_fault_that_names_the_layer(begin, network):
    """Trap 10: the new parameters would silently stop training."""
    net = network()
    optimizer = Optimizer(net, SGD)
    net[5] = nn.Linear(64, 3)
    with pytest.raises(Fault, match=r"^5\.weight: the optimizer does not hold"):
        begin(network=net, optimizer=optimizer)


def test_an_optimizer_of_a_layer_that_is_gone_is_a_fault(begin, network):
    net = network()
    optimizer = Optimizer(net, SGD)
    net[1] = nn.Identity()
    with pytest.raises(Fault, match="holds 2 parameters of no layer"):
        begin(network=net, optimizer=optimizer)


def test_a_frozen_layer_needs_no_optimizer(begin, network):
    net = network()
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    begin(network=net).advance()
    assert torch.equal(net[0].weight, before)


def test_a_frozen_layer_may_have_a_mask(begin, masked):
    net, masks = masked
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    begin(network=net, masks=masks).advance()
    assert torch.equal(net[0].weight, before)
    assert not net[5].weight[~masks["5.weight"]].any()


def test_a_mask_of_no_parameter_is_a_fault_that_names_it(begin, masked):
    net, masks = masked
    with pytest.raises(Fault, match=r"^1\.wieght: the mask \[4\] fits no weight of the network"):
        begin(network=net, masks={**masks, "1.wieght": torch.ones(4, dtype=torch.bool)})


def test_a_batch_larger_than_the_data_is_a_fault(begin):
    with pytest.raises(Fault, match=r"params\.yaml: train\.recipe\.batch_size is 27"):
        begin(recipe=Recipe(batch_size=27))


def test_a_curve_of_other_steps_an_epoch_is_a_fault(begin):
    with pytest.raises(Fault, match=r"batch_size is 5; that makes 5 steps an epoch, .* has 3"):
        begin(recipe=Recipe(batch_size=5))


def test_a_run_that_diverges_blames_no_mask(begin, masked, rates):
    """Gradients that are not finite stay so under a mask; that is no revived weight."""
    network, masks = masked
    hot = Rates(rates.lr * 1e30, rates.momentum, 3)
    run = begin(network=network, masks=masks, rates=hot)
    for _ in range(4):
        run.advance()
    assert not run.finite


def test_an_optimizer_of_the_network_before_surgery_is_a_fault(begin):
    """Trap 10: it would train parameters of no layer, and the pruned layer would stand still."""
    run = begin()
    network = run.network
    name, stale = next(iter(network.named_parameters()))
    module = network.get_submodule(name.rpartition(".")[0])
    module.weight = torch.nn.Parameter(stale.detach()[:1].clone())
    with pytest.raises(Fault, match=f"^{name}: the optimizer does not hold"):
        check_optimizer(network, run.optimizer)


def test_an_optimizer_that_holds_more_than_the_network_is_a_fault(begin):
    run = begin()
    run.optimizer.parameters.append(torch.nn.Parameter(torch.zeros(1)))
    with pytest.raises(Fault, match="1 parameters of no layer"):
        check_optimizer(run.network, run.optimizer)


def fails_with(error):
    def forward(images):
        raise error

    return forward


def test_an_algorithm_that_does_not_repeat_names_the_key(begin, network):
    net = network()
    message = "f_backward_cuda does not have a deterministic implementation, but you set\nmore"
    net.forward = fails_with(RuntimeError(message))
    expected = r"^params\.yaml: compute\.deterministic is true; f_backward_cuda does not repeat.*"
    with pytest.raises(Fault, match=expected):
        begin(network=net).advance()


def test_a_full_memory_names_what_needs_less(begin, network):
    net = network()
    message = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1 GiB"
    net.forward = fails_with(torch.OutOfMemoryError(message))
    expected = (
        r"^the GPU's memory is full, 20\.00 MiB more did not fit; set AFTERPRUNE_WORKERS .*size$"
    )
    with pytest.raises(Fault, match=expected):
        begin(network=net).advance()


def test_another_error_of_the_network_is_not_disguised(begin, network):
    net = network()
    net.forward = fails_with(RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        begin(network=net).advance()
