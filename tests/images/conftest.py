import pytest
import torch


@pytest.fixture
def draw_images():
    """Return a function that draws so many uint8 images [3, 6, 9], no pixel of them 0."""

    def draw(count):
        generator = torch.Generator().manual_seed(0)
        return torch.randint(1, 256, (count, 3, 6, 9), generator=generator, dtype=torch.uint8)

    return draw


@pytest.fixture
def images(draw_images):
    return draw_images(20)
