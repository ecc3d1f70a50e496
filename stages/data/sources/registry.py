"""The data sets that `data.source` in params.yaml can name.

A source reads what the user put below `root` and never writes there; what it must fetch goes below
`downloads`. The keyword-only parameters of its function are its own options in params.yaml. A new
data set is one such function and one line here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from stages.data.sources.arrays import arrays
from stages.data.sources.cifar import cifar10, cifar100
from stages.data.sources.digits import digits
from stages.data.sources.folder import folder
from stages.data.sources.medmnist import medmnist
from stages.data.sources.mnist import fashion_mnist, mnist
from stages.data.sources.mnist1d import mnist1d
from stages.data.sources.mnist_5k import mnist_5k
from stages.data.sources.raw import Form, Raw


@dataclass(frozen=True)
class Source:
    """A data set: `read(root, downloads, **options)`, and its form where that is always the same.

    A form of None is known once the images are prepared.
    """

    read: Callable[..., Raw]
    form: Form | None = None


SOURCES = {
    "digits": Source(digits, Form(1, 8, 8, classes=10)),
    "mnist1d": Source(mnist1d, Form(1, 1, 40, classes=10)),
    "mnist_5k": Source(mnist_5k, Form(1, 28, 28, classes=10)),
    "mnist": Source(mnist, Form(1, 28, 28, classes=10)),
    "fashion_mnist": Source(fashion_mnist, Form(1, 28, 28, classes=10)),
    "cifar10": Source(cifar10, Form(3, 32, 32, classes=10)),
    "cifar100": Source(cifar100, Form(3, 32, 32, classes=100)),
    "medmnist": Source(medmnist),
    "arrays": Source(arrays),
    "folder": Source(folder),
}
