"""The key `train.recipe.augment`: options by the name of an augmentation."""

from typing import Any

from pydantic import create_model

from stages.images.augmentations.registry import AUGMENTATIONS, Augmentation
from stages.pipeline.section import Section


class Augment(Section):
    """The augmentations that are used; one that is absent, or null, is not."""

    def used(self) -> list[Augmentation]:
        """Return them in the order of the registry, in which they are drawn and applied."""
        every = (getattr(self, name) for name in AUGMENTATIONS)
        return [augmentation for augmentation in every if augmentation is not None]


_FIELDS: dict[str, Any] = {name: (kind | None, None) for name, kind in AUGMENTATIONS.items()}
AUGMENT: Any = create_model("Augment", __base__=Augment, **_FIELDS)
