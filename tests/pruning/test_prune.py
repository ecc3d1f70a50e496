import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from stages.evaluation.cost import cost
from stages.models.densenet import densenet40
from stages.models.resnet import resnet8, resnet20
from stages.networks.compact import cut, flat, nested
from stages.pipeline.fault import Fault
from stages.pruning import structured
from stages.pruning.channels import Group, Member
from stages.pruning.distance import distance
from stages.pruning.prune import prune, widths_without_data
from stages.pruning.registry import CRITERIA
from stages.pruning.structured import group_scores, structure
from stages.pruning.surgery import compact_form
from stages.pruning.unstructured import masked
from stages.training.masks import check_masks
from tests.pruning import networks
from tests.pruning.helpers import filters, lived_in, random_batches, weights

SHAPE = (3, 16, 16)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_l1_keeps_the_filters_with_the_largest_sums():
    network = resnet8(10)
    weight = network.layer1[0].conv1.weight
    result = prune(network, [], filters("uniform", ratio=0.7), seeded(), SHAPE)
    best = weight.abs().sum((1, 2, 3)).argsort(descending=True)[:4].sort().values
    assert result.widths == {"layer1.0.conv1": 4, "layer2.0.conv1": 9, "layer3.0.conv1": 19}
    assert result.kept["layer1.0.conv1.weight"][0].tolist() == best.tolist()
    assert result.kept["layer1.0.conv2.weight"][1].tolist() == best.tolist()
    assert result.kept["layer1.0.bn1.running_var"][0].tolist() == best.tolist()
    assert result.kept["layer1.0.conv1.weight"][0].dtype == np.int64


def test_what_is_kept_cuts_a_momentum_buffer_and_survives_a_file():
    network = resnet8(10)
    result = prune(network, [], filters("uniform", ratio=0.7), seeded(), SHAPE)
    buffers = {name: torch.randn_like(p) for name, p in network.named_parameters()}
    ours = cut(buffers, nested(flat(result.kept)))
    shapes = {n: p.shape for n, p in compact_form(network, result.kept).named_parameters()}
    assert {name: buffer.shape for name, buffer in ours.items()} == shapes


def test_random_filters_have_the_widths_of_l1_and_follow_the_seed():
    network = resnet8(10)
    ranked = prune(network, [], filters("uniform", ratio=0.5), seeded(), SHAPE)
    drawn = [
        prune(network, [], filters("uniform", "random", ratio=0.5), seeded(seed), SHAPE)
        for seed in (1, 1, 2)
    ]
    names = [str(result.kept["layer3.0.conv1.weight"][0]) for result in drawn]
    assert all(result.widths == ranked.widths for result in drawn)
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("criterion", CRITERIA["filter"])
@pytest.mark.parametrize("scope", ["blocks", "all"])
def test_every_filter_criterion_prunes_every_scope(criterion, scope):
    network = lived_in(resnet8(5, width=8))
    method = filters("global", criterion, scope, ratio=0.4)
    result = prune(network, random_batches(SHAPE), method, seeded(), SHAPE)
    found = structure(network, SHAPE, scope)
    total = sum(group.width for group in found.groups)
    assert sum(result.widths.values()) == total - round(0.4 * total)
    assert min(result.widths.values()) >= 1


def test_slimming_scores_the_convolutions_of_a_densenet_by_the_batchnorms_they_pass():
    network = lived_in(densenet40(5, growth=2))
    method = filters("uniform", "slimming", "all", ratio=0.5)
    assert prune(network, [], method, seeded(), (3, 8, 8)).widths["block1.0.conv"] == 1


def test_a_criterion_without_scores_for_a_layer_is_refused():
    method = filters("uniform", "slimming", ratio=0.5)
    with pytest.raises(Fault, match=r"no score for the filters of features\.0"):
        prune(networks.Flattened(), [], method, seeded(), SHAPE)


def test_a_score_that_is_not_finite_is_refused():
    network = resnet8(10)
    network.conv1.weight.data[0] = float("nan")
    with pytest.raises(Fault, match="l1 gives conv1 scores that are not finite"):
        prune(network, [], filters("uniform", ratio=0.5), seeded(), SHAPE)


def coupled(*modules):
    whole = np.arange(2)
    return Group("a", 2, tuple(Member(m, f"{m}.weight", 0, 2, whole, whole) for m in modules), True)


def test_a_coupled_group_averages_scores_normalised_per_layer():
    scores = {"a": np.array([1.0, 3.0]), "b": np.array([300.0, 100.0])}
    assert group_scores(coupled("a"), scores).tolist() == [1.0, 3.0]
    # (0.5, 1.5) and (1.5, 0.5) average to (1, 1); the layers' means, 2 and 200, average to 101
    assert group_scores(coupled("a", "b"), scores).tolist() == [101.0, 101.0]
    assert group_scores(coupled("a", "b", "c"), scores).tolist() == [101.0, 101.0]


def test_a_unit_of_several_filters_has_their_mean_score():
    member = Member("a", "a.weight", 0, 4, np.arange(4), np.array([0, 0, 1, 1]))
    group = Group("a", 2, (member,), False)
    assert group_scores(group, {"a": np.array([1.0, 3.0, 5.0, 9.0])}).tolist() == [2.0, 7.0]


@pytest.mark.parametrize(
    ("network", "scope"),
    [(resnet20(10), "blocks"), (resnet20(10), "all"), (networks.Grouped(), "all"),
     (networks.Excited(), "all"), (networks.Flattened(), "all")],
)  # fmt: skip
def test_the_measure_predicts_what_the_compact_network_costs(network, scope):
    method = filters("uniform", scope=scope, ratio=0.45)
    result = prune(network, [], method, seeded(), SHAPE)
    predicted = structure(network, SHAPE, scope).measure(result.widths)
    actual = cost(compact_form(network, result.kept), SHAPE)
    assert (predicted.parameters, predicted.macs) == (actual.parameters, actual.macs)
    dense = cost(network, SHAPE).parameters
    assert result.sparsity == pytest.approx(1 - actual.parameters / dense)


def test_a_target_holds_for_the_network_that_comes_out():
    network = resnet20(10)
    method = filters("target", scope="all", macs=0.4)
    smaller = compact_form(network, prune(network, [], method, seeded(), SHAPE).kept)
    share = cost(smaller, SHAPE).macs / cost(network, SHAPE).macs
    assert 0.35 < share <= 0.4


def test_surgery_that_goes_wrong_is_noticed(monkeypatch):
    monkeypatch.setattr(structured, "compact_form", lambda network, kept: lived_in(resnet8(10)))
    with pytest.raises(Fault, match="differ by"):
        prune(resnet8(10), [], filters("uniform", ratio=0.5), seeded(), SHAPE)


def test_widths_are_known_without_data_unless_they_depend_on_scores():
    network = resnet8(10)
    widths = widths_without_data(network, filters("uniform", "taylor", ratio=0.5), SHAPE)
    assert widths == {"layer1.0.conv1": 8, "layer2.0.conv1": 16, "layer3.0.conv1": 32}
    for method in (filters("global", ratio=0.5), filters("target", macs=0.5, by="global")):
        with pytest.raises(Fault, match="depend on the scores"):
            widths_without_data(network, method, SHAPE)
    with pytest.raises(Fault, match=r"^granularity: weight pruning leaves all widths as they are$"):
        widths_without_data(network, weights("global", sparsity=0.5), SHAPE)


def test_a_scope_without_filters_is_refused():
    def refusal(network, shape):
        with pytest.raises(Fault) as caught:
            prune(network, [], filters("uniform", ratio=0.5), seeded(), shape)
        return str(caught.value)

    grouped = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Flatten())
    assert refusal(densenet40(10, growth=2), (3, 8, 8)) == (
        "scope: 'blocks' admits no convolution of DenseNet: "
        "the channels of conv1 meet those of other layers; scope: all admits them"
    )
    assert refusal(grouped, SHAPE) == (
        "scope: 'blocks' admits no convolution of Sequential: "
        "the channels of 0 pass GroupNorm, which cannot be cut"
    )
    assert refusal(nn.Linear(3, 3), (3,)).endswith("no convolution of Linear: it has none")


@pytest.mark.parametrize("normed", [parametrizations.weight_norm, nn.utils.weight_norm])
@pytest.mark.parametrize("method", [filters("uniform", ratio=0.5), weights("global", sparsity=0.5)])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_a_weight_that_is_computed_from_others_is_named(normed, method):
    network = networks.Flattened()
    normed(network.features[3])
    with pytest.raises(Fault, match=r"features\.3\.weight is computed .*remove"):
        prune(network, [], method, seeded(), SHAPE)


def test_a_network_that_cannot_be_retrained_is_refused():
    method = filters("uniform", ratio=0.5)
    with pytest.raises(Fault, match=r"aux\.0"):
        prune(networks.Auxiliary(), [], method, seeded(), SHAPE)


@pytest.mark.parametrize("criterion", CRITERIA["weight"])
def test_every_weight_criterion_reaches_the_exact_sparsity(criterion):
    network = lived_in(resnet8(5))
    method = weights("global", criterion, sparsity=0.8)
    result = prune(network, random_batches(SHAPE), method, seeded(), SHAPE)
    total = sum(mask.numel() for mask in result.masks.values())
    assert sum(int(mask.sum()) for mask in result.masks.values()) == total - round(0.8 * total)
    assert result.sparsity == pytest.approx(0.8, abs=1 / total)


def test_magnitude_removes_the_smallest_conv_weights_of_the_whole_network():
    network = lived_in(resnet8(5))
    result = prune(network, [], weights("global", sparsity=0.9), seeded(), SHAPE)
    convs = {n: p for n, p in network.named_parameters() if p.ndim == 4}
    assert result.masks.keys() == convs.keys()
    flat_weights = torch.cat([p.detach().abs().flatten() for p in convs.values()])
    flat_masks = torch.cat([result.masks[n].flatten() for n in convs])
    assert flat_weights[flat_masks].min() >= flat_weights[~flat_masks].max()


def test_linear_layers_are_pruned_by_option():
    network = resnet8(5)
    result = prune(network, [], weights("global", linear=True, sparsity=0.5), seeded(), SHAPE)
    assert "fc.weight" in result.masks
    assert not any("bn" in name or "bias" in name for name in result.masks)


@pytest.mark.parametrize("criterion", ["magnitude", "snip", "taylor", "random"])
def test_the_weights_that_torchs_attention_holds_are_linear_ones(criterion):
    """So 90 % of all matrices are zero, not those of the projection alone."""
    network, images = MixedPatches(), random_batches((3, 16, 16))
    method = weights("uniform", criterion, linear=True, sparsity=0.9)
    result = prune(network, images, method, seeded(), SHAPE)
    matrices = {n for n, p in network.named_parameters() if p.ndim > 1}
    assert result.masks.keys() == matrices
    assert {"mixed.in_proj_weight", "other.k_proj_weight"} < matrices
    silent = [p for n, p in masked(network, result.masks).named_parameters() if n in matrices]
    share = sum(int((p == 0).sum()) for p in silent) / sum(p.numel() for p in silent)
    assert share == pytest.approx(result.sparsity)
    assert share == pytest.approx(0.9, abs=0.005)
    alone = prune(network, images, weights("uniform", criterion, sparsity=0.9), seeded(), SHAPE)
    assert alone.masks.keys() == {"patches.weight"}


class MixedPatches(nn.Module):
    """An attention that holds q, k and v as one, and one whose values have a width of their own."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 8, 8)
        self.mixed = nn.MultiheadAttention(12, 3, batch_first=True)
        self.other = nn.MultiheadAttention(12, 3, batch_first=True, vdim=3)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        y = self.patches(x).flatten(2).transpose(1, 2)
        y = y + self.mixed(y, y, y)[0]
        return self.fc(self.other(y, y, y[..., :3])[0].mean(1))


def test_random_weights_leave_every_layer_the_same_share_in_expectation():
    method = weights("global", "random", sparsity=0.8)
    result = prune(resnet8(5), [], method, seeded(), SHAPE)
    for mask in result.masks.values():
        spread = 4 * (0.8 * 0.2 / mask.numel()) ** 0.5
        assert mask.float().mean().item() == pytest.approx(0.2, abs=spread)


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_a_second_round_prunes_further_and_revives_nothing(criterion):
    network = lived_in(resnet8(5))
    first = prune(network, [], weights("global", criterion, sparsity=0.3), seeded(), SHAPE)
    step = weights("global", criterion, sparsity=1 - 0.7**2)
    second = prune(network, [], step, seeded(1), SHAPE, masks=first.masks)
    assert not any((second.masks[n] & ~first.masks[n]).any() for n in first.masks)
    assert second.sparsity == pytest.approx(0.51, abs=1e-4)
    assert second.fraction == pytest.approx(0.3, abs=1e-4)
    assert first.fraction == first.sparsity


def test_a_round_with_a_lower_sparsity_revives_nothing():
    network = lived_in(resnet8(5))
    first = prune(network, [], weights("global", sparsity=0.5), seeded(), SHAPE)
    second = prune(network, [], weights("global", sparsity=0.3), seeded(), SHAPE, first.masks)
    assert all(torch.equal(second.masks[name], mask) for name, mask in first.masks.items())
    assert second.fraction == 0


def test_iterations_shrink_equally_and_score_what_is_left(monkeypatch):
    seen = []

    def watched(model, batches, generator):
        kernel = model.conv1.weight
        seen.append(int((kernel != 0).sum()) / kernel.numel())
        return {n: p.detach().abs() for n, p in model.named_parameters() if p.ndim > 1}

    monkeypatch.setitem(CRITERIA["weight"], "magnitude", watched)
    method = weights("uniform", iterations=3, sparsity=0.875)
    result = prune(resnet8(5), [], method, seeded(), SHAPE)
    assert seen == pytest.approx([1, 0.5, 0.25], abs=0.01)
    assert result.sparsity == pytest.approx(0.875, abs=1e-4)


def test_iterations_round_the_weights_they_remove_down_as_the_authors_do():
    """Of 27 weights 1 - 2^-k go: 13.5, 20.25 and 23.625 (Tanaka et al. 2020, their code)."""
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    left = []

    def watched(model, batches, generator):
        left.append(int((model[0].weight != 0).sum()))
        return {"0.weight": model[0].weight.detach().abs()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CRITERIA["weight"], "synflow", watched)
        method = weights("global", "synflow", iterations=3, sparsity=0.875)
        result = prune(network, [], method, seeded(), (1, 3, 3))
    assert [*left, int(result.masks["0.weight"].sum())] == [27, 27 - 13, 27 - 20, 27 - 23]


def test_iterations_need_a_sparsity():
    with pytest.raises(Fault, match="iterations: 5"):
        prune(resnet8(5), [], weights("n_m", iterations=5), seeded(), SHAPE)


def test_synflow_in_ten_steps_empties_no_layer_where_one_step_does():
    torch.manual_seed(0)
    network, batches = resnet8(5, width=4), random_batches((3, 8, 8))
    methods = (weights("global", "synflow", iterations=n, sparsity=0.98) for n in (1, 10))
    once, often = (prune(network, batches, method, seeded(), SHAPE) for method in methods)
    assert min(int(mask.sum()) for mask in once.masks.values()) == 0
    assert min(int(mask.sum()) for mask in often.masks.values()) > 0


def test_two_of_four_prunes_half_of_the_layers_that_fit():
    result = prune(resnet8(5), [], weights("n_m"), seeded(), SHAPE)
    shares = {name: mask.float().mean().item() for name, mask in result.masks.items()}
    assert shares.pop("conv1.weight") == 1
    assert set(shares.values()) == {0.5}


def test_a_masked_copy_passes_the_gate_and_measures_the_distance():
    network = lived_in(resnet8(5))
    result = prune(network, [], weights("global", sparsity=0.5), seeded(), SHAPE)
    zeroed = masked(network, result.masks)
    dense, pruned = dict(network.named_parameters()), dict(zeroed.named_parameters())
    check_masks(pruned, result.masks)
    with pytest.raises(Fault, match=r"conv1\.weight"):
        check_masks(dense, result.masks)
    lost = sum(float(dense[n].detach()[~m].square().sum()) for n, m in result.masks.items())
    whole = sum(float(p.detach().square().sum()) for p in dense.values())
    assert distance(dense, pruned) == pytest.approx((lost / whole) ** 0.5)


def test_a_compact_network_is_as_far_as_its_removed_entries_are_large():
    network = lived_in(resnet8(5))
    result = prune(network, [], filters("uniform", ratio=0.5), seeded(), SHAPE)
    dense = dict(network.named_parameters())
    compact = dict(compact_form(network, result.kept).named_parameters())
    whole = sum(float(p.detach().double().square().sum()) for p in dense.values())
    left = sum(float(p.detach().double().square().sum()) for p in compact.values())
    assert distance(dense, compact) == pytest.approx((1 - left / whole) ** 0.5)


def test_unknown_names_are_faults():
    with pytest.raises(Fault, match=r"criterion: 'l3' .* allowed: l1"):
        prune(resnet8(5), [], filters("uniform", "l3", ratio=0.5), seeded(), SHAPE)
    with pytest.raises(Fault, match=r"allocation.kind: 'erk' .* allowed: uniform"):
        prune(resnet8(5), [], filters("erk"), seeded(), SHAPE)


def test_a_network_without_convolutions_has_no_weights_to_prune_but_linear_ones():
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 5))
    with pytest.raises(Fault, match="linear: true"):
        prune(network, [], weights("global", sparsity=0.5), seeded(), SHAPE)


def test_a_network_of_a_single_layer_is_masked_under_the_name_of_its_weight(generator):
    method = weights("global", linear=True, sparsity=0.5)
    masks = prune(nn.Linear(4, 2), [], method, generator, (4,)).masks
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"weight": 4}
