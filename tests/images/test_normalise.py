import torch
import torchvision.transforms.functional as tv

from stages.images.normalise import normalise


def test_normalise_is_torchvisions():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 6, 9), generator=generator, dtype=torch.uint8)
    mean, std = torch.tensor([0.49, 0.48, 0.44]), torch.tensor([0.247, 0.243, 0.261])
    expected = tv.normalize(images / 255, mean.tolist(), std.tolist())
    assert normalise(images, mean, std).dtype == torch.float32
    torch.testing.assert_close(normalise(images, mean, std), expected, rtol=1e-6, atol=1e-6)
