"""The key `train.recipe.augment`: options by the name of an augmentation."""

from collections.abc import Iterator
from typing import Any

from pydantic import create_model

from stages.images.augmentations.registry import AUGMENTATIONS, Augmentation
from stages.pipeline.section import Section


class Augment(Section):
    """The augmentations that are used; one that is absent, or null, is not."""

    def misfits(self, height: int, width: int) -> Iterator[str]:
        """Yield a line for what does not fit images of that size in pixels."""
        crop, side = getattr(self, "crop", None), min(height, width)
        if crop is not None and crop.pad >= side:
            yield (
                f"train.recipe.augment.crop.pad is {crop.pad}; for images of {width}x{height} "
                f"pixels it should be less than {side}"
            )

    def used(self) -> list[Augmentation]:
        """Return them in the order of the registry, in which they are drawn and applied."""
        every = (getattr(self, name) for name in AUGMENTATIONS)
        return [augmentation for augmentation in every if augmentation is not None]


_FIELDS: dict[str, Any] = {name: (kind | None, None) for name, kind in AUGMENTATIONS.items()}
AUGMENT: Any = create_model("Augment", __base__=Augment, **_FIELDS)
