"""The data sets that `data.source` in params.yaml can name.

A source is `source(root, downloads, **options) -> Raw`. It reads what the user put below `root`
and never writes there; what it must fetch goes below `downloads`. Its keyword-only parameters are
its own options in params.yaml. A new data set is one such function and one line here.
"""

from collections.abc import Callable

from stages.data.cifar import cifar10, cifar100
from stages.data.digits import digits
from stages.data.folder import folder
from stages.data.mnist import fashion_mnist, mnist
from stages.data.raw import Raw

SOURCES: dict[str, Callable[..., Raw]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "folder": folder,
}
