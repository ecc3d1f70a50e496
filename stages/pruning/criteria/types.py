"""What criteria take and return, named for annotations; torch is for the type checker alone."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Batches: TypeAlias = "Sequence[tuple[Tensor, Tensor]]"
"""Float images [B, C, H, W] and int64 labels [B], both on the network's device."""

Scores: TypeAlias = "dict[str, Tensor]"
"""A score for each filter [channels] by module name, or for each weight by parameter name."""
