import pytest
import torch
import torchvision.transforms.functional as tv

from stages.data.augment import Augmenter, normalise


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (20, 3, 6, 9), generator=generator, dtype=torch.uint8)


def draw(pad, count=50):
    generator = torch.Generator().manual_seed(pad)

    def numbers(high):
        return torch.randint(0, high, (count,), generator=generator)

    return numbers(20), numbers(2 * pad + 1), numbers(2 * pad + 1), numbers(2).bool()


@pytest.mark.parametrize("pad", [0, 1, 4])
def test_a_batch_is_what_torchvision_makes_image_by_image(pad, images):
    tables = draw(pad)
    batch = Augmenter(images, pad).batch(*tables)
    for got, i, top, left, flip in zip(batch, *tables, strict=True):
        crop = tv.crop(tv.pad(images[i], [pad]), int(top), int(left), 6, 9)
        assert torch.equal(got, tv.hflip(crop) if flip else crop)
    assert batch.dtype == torch.uint8


def test_the_middle_crop_without_flips_is_the_image(images):
    index, middle = torch.arange(20), torch.full((20,), 4)
    assert torch.equal(Augmenter(images, 4).batch(index, middle, middle, None), images)


def test_augmentation_leaves_the_images_as_they_were(images):
    before = images.clone()
    Augmenter(images, 0).batch(*draw(0)).zero_()
    assert torch.equal(images, before)


def test_normalise_is_torchvisions(images):
    mean, std = torch.tensor([0.49, 0.48, 0.44]), torch.tensor([0.247, 0.243, 0.261])
    expected = tv.normalize(images / 255, mean.tolist(), std.tolist())
    assert normalise(images, mean, std).dtype == torch.float32
    torch.testing.assert_close(normalise(images, mean, std), expected, rtol=1e-6, atol=1e-6)
