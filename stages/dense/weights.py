"""Dense networks from weights that were trained elsewhere."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.dense.given import Given
from stages.dense.run import save_checkpoint
from stages.pipeline.fault import Fault
from stages.pipeline.headers import check_safetensors
from stages.pipeline.params import printable
from stages.training.history import History
from stages.training.loop import Run

WRAPPERS = ("state_dict", "model")
"""Keys under which training scripts put a network's tensors among other things."""
PARALLEL = "module."
"""What torch's DataParallel and DistributedDataParallel put before every name."""
MOST = 3


def take(run: Run, given: Given, kept: Path) -> History:
    """Put a run at its end with the given weights, its checkpoints into `kept`; nothing is trained.

    The momentum of a checkpoint is not known: it is 0.
    """
    last = run.rates.epochs
    for epoch, file in sorted({**given.checkpoints, last: given.final}.items()):
        if epoch > last:
            raise Fault(f"{file}: train.epochs is {last}; it should be {epoch} or more")
        load_weights(run.network, file)
        run.epoch = epoch
        save_checkpoint(kept, run)
    return History()


def load_weights(network: nn.Module, file: Path) -> None:
    """Give a network the tensors of a file; a Fault where they are not those of the network.

    Counts of batches, which BatchNorm keeps for its own use, may be missing.
    """
    own = network.state_dict()
    tensors = _unwrapped(read_weights(file), own)
    missing = [n for n in own if n not in tensors and not n.endswith("num_batches_tracked")]
    unknown = [name for name in tensors if name not in own]
    shaped = [n for n in own if n in tensors and tensors[n].shape != own[n].shape]
    for names, what in ((missing, "lacks"), (unknown, "has unknown"), (shaped, "has other sizes")):
        if names:
            raise Fault(f"{printable(file)} {what}: {_listed(names)}; it should fit model.factory")
    if bad := next((n for n in own if n in tensors and not _sound(n, tensors[n])), None):
        raise Fault(
            f"{printable(file)}: {printable(bad)} has numbers that are not finite and real, or a "
            "variance below 0"
        )
    network.load_state_dict({n: tensors[n].to(own[n].dtype) for n in own if n in tensors}, False)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read tensors by name from safetensors, or from a state_dict that torch saved.

    Of the latter only tensors are read: what would run code is refused (`weights_only`).
    """
    try:
        if file.suffix == ".safetensors":
            check_safetensors(file)
            return load_file(file)
        read = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, with pages of advice
        reason = f"{error}".partition("\n")[0] or type(error).__name__
        raise Fault(f"{printable(file)}: no weights that can be read ({reason})") from None
    for key in WRAPPERS:
        if isinstance(read, Mapping) and isinstance(read.get(key), Mapping):
            read = read[key]
    if not isinstance(read, Mapping) or not all(isinstance(t, Tensor) for t in read.values()):
        raise Fault(f"{printable(file)}: it should hold a state_dict, tensors by name")
    return {f"{name}": tensor for name, tensor in read.items()}


def _unwrapped(tensors: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take PARALLEL from before all names, unless the network's own begin like that."""
    if not all(name.startswith(PARALLEL) for name in tensors):
        return tensors
    if any(name.startswith(PARALLEL) for name in own):
        return tensors
    return {name.removeprefix(PARALLEL): tensor for name, tensor in tensors.items()}


def _sound(name: str, tensor: Tensor) -> bool:
    """Whether a network can have these numbers: real, finite, a variance not below 0."""
    if tensor.is_complex() or tensor.is_quantized or not tensor.isfinite().all():
        return False
    return not (name.endswith("running_var") and bool((tensor < 0).any()))


def _listed(names: list[str]) -> str:
    more = len(names) - MOST
    return ", ".join(map(printable, names[:MOST])) + (f" and {more} more" if more > 0 else "")
