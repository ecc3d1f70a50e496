"""Whole heads of attentions are found, scored and cut, with all that belongs to each."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import afterprune
from stages.evaluation.cost import cost
from stages.models.vit import Attention, vit_tiny
from stages.networks import compact as files
from stages.networks.attention import HEADS as HEAD_ATTRIBUTES
from stages.networks.attention import NarrowAttention
from stages.networks.building import Spec
from stages.networks.compact import cut
from stages.networks.exporting import can_run, write_onnx
from stages.networks.fresh import fresh
from stages.pipeline.fault import Fault
from stages.pruning.channels import Group, Member, kept
from stages.pruning.checks import check_equivalence
from stages.pruning.prune import prune
from stages.pruning.step import apply
from stages.pruning.structured import group_scores, structure
from stages.pruning.surgery import compact_form, masked_form
from stages.pruning.trace import sample, trace
from tests.pruning.helpers import filters, random_batches, random_kept
from tests.pruning.test_units import steps

timm = pytest.importorskip("timm")
SHAPE = (3, 16, 16)
HEADS = ("heads",)
BOTH = ("neurons", "heads")


def separate():
    return vit_tiny(5, 3, image=(16, 16), patch=(8, 8), width=12, depth=2, heads=3)


def fused():
    return vit_tiny(
        *(5, 3), image=(16, 16), patch=(8, 8), width=12, depth=2, heads=3, fused=True,
        class_token=True,
    )  # fmt: skip


def timm_vit(**options):
    return timm.models.vision_transformer.VisionTransformer(
        **{"img_size": 16, "patch_size": 8, "embed_dim": 12, "depth": 2, "num_heads": 3,
           "num_classes": 5} | options
    )  # fmt: skip


def timm_swin():
    return timm.models.swin_transformer.SwinTransformer(
        img_size=16, patch_size=4, embed_dim=8, depths=(2,), num_heads=(2,), window_size=2,
        num_classes=5, drop_path_rate=0.0,
    )  # fmt: skip


def torchvision_vit():
    return torchvision.models.VisionTransformer(16, 8, 2, 3, 12, 16, num_classes=5)


class Encoded(nn.Module):
    """torch's own encoder layers, which compute their attention by themselves where they can."""

    def __init__(self, batch_first=True):
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, 12, 8, 8)
        layer = nn.TransformerEncoderLayer(12, 3, 16, dropout=0.0, batch_first=batch_first)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).permute(*((0, 2, 1) if self.batch_first else (2, 0, 1)))
        return self.fc(self.layers(x).mean(1 if self.batch_first else 0))


def tokens_first():
    return Encoded(batch_first=False)


def normed():
    return timm_vit(qk_norm=True, init_values=1e-1)


def lively(network):
    """Give every parameter a value of its own: biases, tables and tokens are 0 or near it."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


TORCH = [torchvision_vit, Encoded, tokens_first]
FACTORIES = [separate, fused, timm_vit, timm_swin, normed, *TORCH]


@pytest.mark.parametrize("factory", FACTORIES)
def test_heads_leave_exactly_and_a_pruned_network_loses_more(factory):
    network = lively(factory())
    found = trace(network, SHAPE, HEADS)
    assert not found.refused
    assert {group.width for group in found.groups} == {2 if factory is timm_swin else 3}
    for seed in range(2):
        left = random_kept(network, SHAPE, seed=seed, units=BOTH)
        smaller = compact_form(network, left)
        check_equivalence(masked_form(network, left), smaller, sample(SHAPE))
        network = smaller


@pytest.mark.parametrize("factory", [separate, fused])
def test_the_kept_heads_mix_what_they_mixed_by_hand(factory):
    """Heads 0 and 2 of three, each 4 wide: softmax(q k^T / 2) v from the dense weights."""
    attention = lively(factory()).blocks[0].attention
    network = nn.Sequential(nn.Flatten(2), attention, nn.Flatten(), nn.Linear(60, 2))
    group = trace(network, (5, 3, 4), HEADS).groups[0]
    alone = keeping(group, [True, False, True])
    x = torch.randn(2, 5, 12)
    smaller = compact_form(network, alone)[1]
    layers = [attention.qkv] if attention.fused else [attention.q, attention.k, attention.v]
    rows = torch.cat([layer(x) for layer in layers], -1)
    q, k, v = (rows[..., 12 * i : 12 * i + 12].unflatten(-1, (3, 4)) for i in range(3))
    mixed = [
        F.softmax(q[:, :, h] @ k[:, :, h].transpose(1, 2) / 2, -1) @ v[:, :, h] for h in (0, 2)
    ]
    by_hand = F.linear(
        torch.cat(mixed, -1),
        attention.proj.weight[:, [0, 1, 2, 3, 8, 9, 10, 11]],
        attention.proj.bias,
    )
    assert isinstance(smaller, Attention)
    assert torch.allclose(smaller(x), by_hand, atol=1e-6)


def keeping(group, chosen):
    return kept([group], {group.name: np.array(chosen)})


def test_a_table_of_positions_loses_the_column_of_its_head():
    network = lively(timm_swin())
    group = trace(network, SHAPE, HEADS).groups[0]
    smaller = compact_form(network, keeping(group, [False, True]))
    name = "layers.0.blocks.0.attn"
    before, after = network.get_submodule(name), smaller.get_submodule(name)
    tables = before.relative_position_bias_table, after.relative_position_bias_table
    assert torch.equal(tables[0][:, [1]], tables[1])
    assert (after.num_heads, before.num_heads) == (1, 2)
    assert torch.equal(
        before.qkv.weight[[4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23]], after.qkv.weight
    )


@pytest.mark.parametrize("factory", [separate, fused])
def test_a_head_scores_the_mean_of_its_rows_and_the_sizes_are_by_hand(factory):
    """One block of 12 = 3 heads x 4, hidden 24, 4 patches of 192 numbers."""
    network = factory()
    for block in network.blocks:
        layers = [block.attention.qkv] if block.attention.fused else None
        for layer in layers or [block.attention.q, block.attention.k, block.attention.v]:
            rows = torch.tensor([3.0, 1, 2]).repeat_interleave(4).repeat(len(layer.weight) // 12)
            layer.weight.data = rows[:, None].expand(-1, 12).contiguous()
    pruned = prune(
        network, [], filters("uniform", units=HEADS, ratio=0.34), torch.Generator(), SHAPE
    )
    assert pruned.widths == {"blocks.0.attention": 1, "blocks.1.attention": 1}
    rows = next(d[0] for n, d in pruned.kept.items() if n.endswith(("q.weight", "qkv.weight")))
    assert rows[:4].tolist() == [0, 1, 2, 3]
    size = cost(apply(network, pruned), SHAPE)
    assert cost(network, SHAPE).parameters - size.parameters == 2 * (3 * 8 * 13 + 8 * 12)
    assert cost(network, SHAPE).macs > size.macs


@pytest.mark.parametrize("criterion", ["l1", "l2", "fpgm", "taylor", "random"])
@pytest.mark.parametrize("factory", [separate, timm_vit, Encoded])
def test_every_criterion_scores_heads_and_the_measure_is_the_size(factory, criterion):
    network = lively(factory())
    method = filters("global", criterion, units=BOTH, ratio=0.6, normalise=True)
    pruned = prune(network, random_batches(SHAPE), method, torch.Generator(), SHAPE)
    assert min(pruned.widths.values()) >= 1
    measured = structure(network, SHAPE, "blocks", BOTH).measure(pruned.widths)
    counted = cost(apply(network, pruned), SHAPE)
    assert (measured.parameters, measured.macs) == (counted.parameters, counted.macs)


@pytest.mark.parametrize("by", ["uniform", "global"])
def test_a_budget_of_macs_leaves_a_head_in_every_attention(by):
    network = lively(separate())
    method = filters("target", units=BOTH, macs=0.7, by=by)
    pruned = prune(network, [], method, torch.Generator(), SHAPE)
    assert min(pruned.widths.values()) >= 1
    assert cost(apply(network, pruned), SHAPE).macs <= 0.7 * cost(network, SHAPE).macs


@pytest.mark.parametrize("factory", [separate, fused, timm_vit, timm_swin, *TORCH])
def test_a_trained_compact_network_is_the_trained_silent_one(factory):
    network = lively(factory())
    left = random_kept(network, SHAPE, units=BOTH)
    silent, smaller = masked_form(network, left), compact_form(network, left)
    for trained in (silent, smaller):
        steps(trained, random_batches(SHAPE, sizes=(8, 8, 8)))
    for name, tensor in cut(silent.state_dict(), left).items():
        assert torch.allclose(tensor, smaller.state_dict()[name], atol=1e-5), name


def test_a_compact_network_loads_from_its_file_and_starts_fresh(tmp_path):
    options = {"image": [16, 16], "patch": [8, 8], "width": 12, "depth": 2, "heads": 3}
    spec = Spec("stages/models/vit.py", "vit_tiny", options, 5, 3)
    network = lively(vit_tiny(5, 3, **options))
    smaller = compact_form(network, random_kept(network, SHAPE, units=BOTH))
    file = tmp_path / "network.safetensors"
    files.save(file, smaller, spec)
    images = sample(SHAPE)
    assert torch.equal(files.load(file).eval()(images), smaller(images))
    assert torch.equal(afterprune.load(file).eval()(images), smaller(images))
    started = fresh(file, seed=1)
    shapes = [{n: t.shape for n, t in x.state_dict().items()} for x in (started, smaller)]
    assert shapes[0] == shapes[1]
    assert started(images).isfinite().all()


@pytest.mark.parametrize("units", [(), HEADS])
def test_torchs_attention_starts_afresh_with_biases_of_0_as_it_was_built(
    units, tmp_path, monkeypatch
):
    """The bias of the projection is drawn with its layer, and then set to 0."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from tests.pruning.test_heads import Encoded\n"
        "def encoded(num_classes, in_channels):\n"
        "    return Encoded()\n"
    )
    network = lively(Encoded())
    network = compact_form(network, random_kept(network, SHAPE, units=units))
    files.save("net", network, Spec("own.py", "encoded", {}, 5, 3))
    started = fresh("net", 1)
    for layer, before in zip(started.layers.layers, network.layers.layers, strict=True):
        attention = layer.self_attn
        limit = (6 / (12 + len(attention.in_proj_weight))) ** 0.5
        assert isinstance(attention, NarrowAttention) == bool(units)
        assert not attention.in_proj_bias.any()
        assert not attention.out_proj.bias.any()
        assert attention.in_proj_weight.abs().max().item() == pytest.approx(limit, rel=0.1)
        assert not torch.equal(attention.out_proj.weight, before.self_attn.out_proj.weight)


def test_torchs_attention_without_heads_is_the_silent_one_by_hand():
    attention = lively(nn.MultiheadAttention(12, 3, batch_first=True))
    x = torch.randn(2, 5, 12)
    rows = [0, 1, 2, 3, 8, 9, 10, 11]
    q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    by_hand = attention.out_proj.bias.expand(2, 5, 12).clone()
    for head in (rows[:4], rows[4:]):
        weights = F.softmax(q[..., head] @ k[..., head].transpose(1, 2) / 2, -1)
        by_hand += F.linear(weights @ v[..., head], attention.out_proj.weight[:, head])
    left = np.concatenate([np.array(rows) + 12 * part for part in range(3)])
    smaller = compact_form(
        attention,
        {"in_proj_weight": {0: left}, "in_proj_bias": {0: left},
         "out_proj.weight": {1: np.array(rows)}},
    )  # fmt: skip
    assert isinstance(smaller, NarrowAttention)
    assert (smaller.num_heads, smaller.head_dim) == (2, 4)
    mixed, weights = smaller(x, x, x)
    assert torch.allclose(mixed, by_hand, atol=1e-6)
    assert weights is None
    with pytest.raises(ValueError, match="takes no masks"):
        smaller(x, x, x, attn_mask=torch.zeros(5, 5))


@pytest.mark.parametrize("factory", [Encoded, torchvision_vit])
def test_shapes_of_no_whole_head_are_refused(factory):
    network = factory()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    name = next(name for name in shapes if name.endswith("in_proj_weight"))
    with pytest.raises(Fault, match=r"cannot have the shapes in_proj_weight \[31, 12\]"):
        files.resize(network, shapes | {name: (31, 12)})


class Dropping(nn.MultiheadAttention):
    """Does in training what torch's attention does not."""

    def forward(self, *args, **options):
        mixed, weights = super().forward(*args, **options)
        return F.dropout(mixed, 0.5, self.training), weights


def test_an_attention_that_adds_to_torchs_keeps_its_heads_and_what_it_adds():
    network = Encoded()
    network.layers.layers[1].self_attn = Dropping(12, 3, batch_first=True)
    found = trace(lively(network), SHAPE, HEADS)
    assert [group.name for group in found.groups] == ["layers.layers.0.self_attn"]
    assert "Dropping would lose what it does" in found.refused["layers.layers.1.self_attn"]


@pytest.mark.slow
@pytest.mark.skipif(not can_run(), reason="the packages that run ONNX are not there")
@pytest.mark.parametrize("factory", [separate, timm_vit, torchvision_vit])
def test_a_compact_network_runs_as_onnx(factory, tmp_path):
    import onnxruntime

    network = lively(factory())
    smaller = compact_form(network, random_kept(network, SHAPE, units=BOTH))
    file, images = tmp_path / "network.onnx", sample(SHAPE)
    write_onnx(smaller, images, file)
    (logits,) = onnxruntime.InferenceSession(file).run(None, {"images": images.numpy()})
    assert torch.allclose(torch.from_numpy(logits), smaller(images), atol=1e-5)


class Reshaped(nn.Module):
    """Shares the width of its input among its heads, as torchvision's Swin does."""

    def __init__(self, heads=2, keys=8):
        super().__init__()
        self.num_heads = heads
        self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, keys), nn.Linear(8, keys)
        self.proj = nn.Linear(8, 8)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        n, t, c = x.shape
        q, k, v = (
            layer(x).view(n, t, -1, c // self.num_heads).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, enable_gqa=k.shape[1] < q.shape[1])
        return self.proj(mixed.transpose(1, 2).reshape(n, t, -1)).mean(1)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [(8, "do not survive a trial (surgery: the compact network cannot run"),
     (4, "share the outputs of 1.k, as in grouped-query attention")],
)  # fmt: skip
def test_heads_that_cannot_be_cut_are_named(keys, reason):
    network = nn.Sequential(nn.Conv2d(3, 8, 8, 8), Reshaped(keys=keys), nn.Linear(8, 5))
    refused = trace(network, SHAPE, HEADS).refused
    assert list(refused) == ["1"]
    assert refused["1"].startswith(reason)
    with pytest.raises(Fault, match=r"^scope: 'blocks' admits no heads of Sequential: the heads "):
        structure(network, SHAPE, "blocks", HEADS)


class Interleaved(nn.Module):
    """Reads q, k and v head by head from one layer; a layer scale of 1e-6 hides what it mixes."""

    def __init__(self):
        super().__init__()
        self.num_heads = 3
        self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)
        self.scale = nn.Parameter(torch.full((12,), 1e-6))

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, self.num_heads, 3, -1).permute(3, 0, 2, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, -1)
        return x + self.scale * self.proj(mixed)


def test_what_a_small_scale_hides_before_training_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 12, 8, 8), nn.Flatten(2), Turned(), Interleaved())
    network = nn.Sequential(network, nn.Flatten(), nn.Linear(48, 5))
    reason = trace(network, SHAPE, HEADS).refused["0.3"]
    assert reason.startswith("do not survive a trial (surgery: logits of the compact")


class Turned(nn.Module):
    """[B, C, N] -> [B, N, C]."""

    def forward(self, x):
        return x.transpose(1, 2)


class Whole(nn.Module):
    """A block that says its heads itself, whose other layers are defined first."""

    def __init__(self, hidden):
        super().__init__()
        self.num_heads = 4
        self.fc1, self.fc2 = nn.Linear(12, hidden), nn.Linear(hidden, 12)
        self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return (x + self.fc2(F.gelu(self.fc1(x)))).mean(1)


@pytest.mark.parametrize("hidden", [12, 16, 24, 36])
@pytest.mark.parametrize(
    ("neurons", "heads"), [(0.5, 1.0), (1.0, 0.5), (0.5, 0.5), (0.75, 0.25), (0.25, 0.75)]
)
def test_the_number_of_heads_follows_the_heads_and_not_the_neurons(hidden, neurons, heads):
    network = lively(nn.Sequential(nn.Conv2d(3, 12, 8, 8), Whole(hidden), nn.Linear(12, 5)))
    widths = {"1": int(4 * heads), "1.fc1": int(hidden * neurons)}
    method = filters("widths", units=BOTH, widths=widths)
    pruned = prune(network, [], method, torch.Generator(), SHAPE)
    smaller = apply(network, pruned)
    assert pruned.widths == widths
    assert smaller[1].num_heads == 4 * heads


@pytest.mark.parametrize("rows", [(1, 2), (1, 1, 1), (3,)])
def test_a_head_s_score_does_not_ask_how_q_k_and_v_are_stored(rows):
    """Of head 0 q, k and v score 1, 10 and 1; of head 1 they score 2, 5 and 2."""
    values = np.split(np.array([1.0, 2, 10, 5, 1, 2]), np.cumsum(rows)[:-1] * 2)
    members = [
        Member(f"a.{i}", f"a.{i}.weight", 0, 2 * n, np.arange(2 * n), np.arange(2 * n) % 2)
        for i, n in enumerate(rows)
    ]
    scores = {f"a.{i}": part for i, part in enumerate(values)}
    assert group_scores(Group("a", 2, tuple(members), False), scores).tolist() == [4, 3]


class Core(nn.Module):
    """What mixes, as a module without weights."""

    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)


class Tabled(Whole):
    """Has a persistent index beside a table of each head, and mixes in a module of its own."""

    def __init__(self):
        super().__init__(16)
        self.table = nn.Parameter(torch.randn(7, 4))
        self.register_buffer("index", torch.arange(4) + torch.arange(4)[:, None])
        self.core = Core()

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        v = v * self.table[self.index].mean((0, 1))[:, None, None]
        x = x + self.proj(self.core(q, k, v).transpose(1, 2).flatten(2))
        return (x + self.fc2(F.gelu(self.fc1(x)))).mean(1)


def test_a_persistent_index_stays_and_what_mixes_inside_is_measured():
    network = lively(nn.Sequential(nn.Conv2d(3, 12, 8, 8), Tabled(), nn.Linear(12, 5)))
    method = filters("uniform", units=HEADS, ratio=0.5)
    pruned = prune(network, [], method, torch.Generator(), SHAPE)
    smaller = apply(network, pruned)
    assert pruned.widths == {"1": 2}
    assert (smaller[1].table.shape, smaller[1].index.shape) == ((7, 2), (4, 4))
    measured = structure(network, SHAPE, "blocks", HEADS).measure(pruned.widths)
    counted = cost(smaller, SHAPE)
    assert (measured.parameters, measured.macs) == (counted.parameters, counted.macs)


@pytest.mark.parametrize("attribute", HEAD_ATTRIBUTES)
def test_every_name_of_the_number_of_heads_is_read_and_set(attribute):
    class Named(Whole):
        """Takes the number from the attribute of that name, as nanoGPT does from `n_head`."""

        def __init__(self):
            super().__init__(16)
            del self.num_heads
            setattr(self, attribute, 4)

        def __getattr__(self, name):
            return vars(self)[attribute] if name == "num_heads" else super().__getattr__(name)

    network = lively(nn.Sequential(nn.Conv2d(3, 12, 8, 8), Named(), nn.Linear(12, 5)))
    method = filters("uniform", units=HEADS, ratio=0.5)
    pruned = prune(network, [], method, torch.Generator(), SHAPE)
    assert vars(apply(network, pruned)[1])[attribute] == 2
