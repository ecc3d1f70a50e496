"""The contender that practitioners write: a Dataset of pictures, transforms, a DataLoader."""

import copy

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from stages.images.prepared import ImageSet, Prepared
from stages.images.settings import AUGMENT, Augment
from stages.networks.building import build
from tests.benchmarks import torchs
from tests.benchmarks.setting import Device
from tests.benchmarks.workload import EVALUATION_BATCH, LR, Workload


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as PIL pictures through a transform, one at a time."""

    def __init__(self, images: ImageSet, transform: transforms.Compose) -> None:
        arrays = images.images.permute(0, 2, 3, 1).numpy()
        self.arrays = arrays[..., 0] if arrays.shape[-1] == 1 else arrays
        self.labels = images.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.arrays[index])), self.labels[index]


def transform(data: Prepared, augment: Augment) -> transforms.Compose:
    """Return augmentation, conversion and normalisation by torchvision."""
    normalise = transforms.Normalize(data.mean.tolist(), data.std.tolist())
    steps = torchs.augmentation(data, augment)
    return transforms.Compose([*steps, transforms.ToTensor(), normalise])


class Stock:
    """Float32, eager, contiguous, torch's optimizer and torch's own number of threads.

    Loader processes end with their epoch, as is the DataLoader's default, where an epoch is as long
    as in a study; they persist where it is cut short.
    """

    def __init__(self, workload: Workload, workers: int, device: Device) -> None:
        torch.backends.cudnn.benchmark = True
        data, recipe = workload.data, workload.recipe
        self.device, self.epochs = torch.device(device), workload.epochs
        self.network = build(workload.spec, 0).to(self.device)
        self.optimizer = torchs.optimizer(self.network, recipe, LR)
        self.loss = torchs.loss(recipe)

        def loader(images: ImageSet, augment: Augment, batch_size: int, train: bool) -> DataLoader:
            return DataLoader(
                Pictures(images, transform(data, augment)),
                batch_size,
                shuffle=train,
                drop_last=train,
                num_workers=workers,
                pin_memory=device is Device.cuda,
                persistent_workers=workers > 0 and workload.cut,
            )

        self.train = loader(data.train, recipe.augment, recipe.batch_size, True)
        self.validation = loader(data.validation, AUGMENT(), EVALUATION_BATCH, False)
        self.test = loader(data.test, AUGMENT(), EVALUATION_BATCH, False)

    def epoch(self) -> int:
        """Train an epoch; return the number of images."""
        self.network.train()
        seen, total = 0, 0.0
        for images, labels in self.train:
            images = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True)
            self.optimizer.zero_grad()
            loss = self.loss(self.network(images), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels)
            seen += len(labels)
        return seen

    def evaluation(self) -> int:
        """Take the accuracy on the test images; return their number."""
        return self._evaluate(self.test)[1]

    def arm(self) -> int:
        """Train all epochs and evaluate after each; return the number of images."""
        seen, best = 0, -1
        for _ in range(self.epochs):
            trained = self.epoch()
            correct, validated = self._evaluate(self.validation)
            tested = self._evaluate(self.test)[1]
            if correct >= best:
                best = correct
                self.selected = copy.deepcopy(self.network.state_dict())
            seen += trained + validated + tested
        return seen

    @torch.no_grad()
    def _evaluate(self, loader: DataLoader) -> tuple[int, int]:
        self.network.eval()
        correct, seen = 0, 0
        for images, labels in loader:
            images = images.to(self.device, non_blocking=True)
            labels = labels.to(self.device, non_blocking=True)
            output = self.network(images)
            correct += (output.argmax(1) == labels).sum().item()
            seen += len(labels)
        return correct, seen
