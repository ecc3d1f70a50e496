"""What tells an attention's heads: the attributes that say how many there are, or how wide one is.

Our own, timm's and most others' attentions are recognised by them; torch's by its type.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import torch.nn.functional as F
from torch import Tensor, nn

from stages.pipeline.fault import Fault

Shape = tuple[int, ...]
HEADS = ("num_heads", "heads", "n_heads", "n_head", "num_attention_heads")
"""Attributes that say how many heads there are."""
HEAD_WIDTHS = ("head_dim", "head_width", "dim_head", "attention_head_size")
"""Attributes that say how many outputs of q, k and v each head reads."""
WIDTHS = ("attn_dim", "all_head_size", "inner_dim")
"""Attributes that say how many outputs all heads together read."""


def attentions(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the attentions of a network by name, in module order.

    They are torch's, and modules with such an attribute and two linear layers or more, of which no
    module inside is one.
    """
    found = {name: module for name, module in network.named_modules() if _is_attention(module)}
    for name, module in found.items():
        inside = f"{name}.".lstrip(".")
        if not any(other != name and other.startswith(inside) for other in found):
            yield name, module


def number(module: nn.Module, names: tuple[str, ...]) -> int | None:
    """Return the first of these attributes that a module has as a whole number above 0."""
    given = [vars(module).get(name) for name in names]
    return next((value for value in given if type(value) is int and value > 0), None)


def linears(module: nn.Module) -> list[nn.Linear]:
    """Return the linear layers of an attention, those inside other modules of it included."""
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


def keep_heads(attention: nn.Module, name: str, shapes: Mapping[str, Shape]) -> None:
    """Let an attention's attributes say what follows from the shapes of its layers.

    Numbers of heads, and of the outputs that all of them read, shrink as what its projection reads
    does; they stay where only other layers inside lost neurons.
    """
    if isinstance(attention, nn.MultiheadAttention):
        _narrow(attention, shapes.get(f"{name}.in_proj_weight".lstrip("."), ()))
        return
    before, after = _mixed(attention, name, shapes) or (1, 1)
    for attribute in (*HEADS, *WIDTHS):
        value = vars(attention).get(attribute)
        if type(value) is int and value * after % before == 0:
            setattr(attention, attribute, value * after // before)


def _mixed(attention: nn.Module, name: str, shapes: Mapping[str, Shape]) -> tuple[int, int] | None:
    """Return how many numbers of each token the heads mixed, and now mix, where that changed.

    The projection reads them; q, k and v, made by one to three layers, are three times as many and
    shrank in the same proportion, as those that make neurons for another layer did not.
    """
    cut = [
        (module, shape)
        for inside, module in attention.named_modules()
        if isinstance(module, nn.Linear)
        and len(shape := shapes[f"{name}.{inside}.weight".lstrip(".")]) == 2
    ]
    for projection, (_, after) in cut:
        before = projection.in_features
        makers = [x.out_features for x, (o, _) in cut if o * before == x.out_features * after]
        sets = (each for size in (1, 2, 3) for each in combinations(makers, size))
        if after != before and any(sum(each) == 3 * before for each in sets):
            return before, after
    return None


class NarrowAttention(nn.MultiheadAttention):
    """What torch's attention is after it lost heads, where it could not run: without masks.

    `num_heads` of `head_dim` outputs each are fewer than `embed_dim` together.
    """

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        """[B, N, embed_dim], three times, -> the same and no weights; [N, B, ...] if it was so."""
        if key_padding_mask is not None or attn_mask is not None or is_causal:
            raise ValueError("an attention that lost heads takes no masks")
        biases = [None] * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        parts = zip((query, key, value), self.in_proj_weight.chunk(3), biases, strict=True)
        batch = 0 if self.batch_first else 1
        made = (F.linear(x, weight, bias).transpose(0, batch) for x, weight, bias in parts)
        heads = (self.num_heads, self.head_dim)
        q, k, v = (x.reshape(*x.shape[:2], *heads).transpose(1, 2) for x in made)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2).transpose(0, batch)), None

    def _reset_parameters(self) -> None:
        """Draw what torch's attention draws itself, at the widths that are left."""
        nn.init.xavier_uniform_(self.in_proj_weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                nn.init.zeros_(bias)


def _narrow(attention: nn.MultiheadAttention, shape: Shape) -> None:
    """Turn torch's attention into one with the heads that the shape of its weights says."""
    if len(shape) == 2 and shape[0] != len(attention.in_proj_weight):
        if type(attention) not in (nn.MultiheadAttention, NarrowAttention):
            raise Fault(
                f"{type(attention).__name__} would lose what it does beyond nn.MultiheadAttention"
            )
        attention.num_heads = shape[0] // 3 // attention.head_dim
        attention.__class__ = NarrowAttention
        # what torch's encoder layers ask before they compute an attention by themselves
        attention._qkv_same_embed_dim = False


def _is_attention(module: nn.Module) -> bool:
    if isinstance(module, nn.MultiheadAttention):
        return True
    told = number(module, HEADS) or number(module, HEAD_WIDTHS)
    return told is not None and len(linears(module)) > 1
