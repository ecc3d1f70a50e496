"""What tells an attention's heads: the attributes that say how many there are, or how wide one is.

Our own, timm's and most others' attentions are recognised by them; torch's by its type.
"""

from collections.abc import Iterator, Mapping

from torch import nn

Shape = tuple[int, ...]
HEADS = ("num_heads", "heads", "n_heads", "num_attention_heads")
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
    """Let an attention's attributes say what follows from the shape of its first linear layer.

    Numbers of heads, and of the outputs that all of them read, shrink as the layer's outputs do.
    """
    first, layer = next(
        (inside, module)
        for inside, module in attention.named_modules()
        if isinstance(module, nn.Linear)
    )
    rows = shapes[f"{name}.{first}.weight".lstrip(".")][0]
    for attribute in (*HEADS, *WIDTHS):
        before = vars(attention).get(attribute)
        if type(before) is int and before * rows % layer.out_features == 0:
            setattr(attention, attribute, before * rows // layer.out_features)


def _is_attention(module: nn.Module) -> bool:
    if isinstance(module, nn.MultiheadAttention):
        return True
    told = number(module, HEADS) or number(module, HEAD_WIDTHS)
    return told is not None and len(linears(module)) > 1
