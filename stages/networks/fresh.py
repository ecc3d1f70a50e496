"""Networks that start afresh, dense or cut: re-initialised at their own widths."""

from pathlib import Path

from torch import Tensor, nn

from stages.networks.building import load_code, seeded
from stages.networks.compact import built, filled, read_spec
from stages.pipeline.fault import Fault


def fresh(path: Path | str, seed: int) -> nn.Module:
    """Read a network that `save` wrote and re-initialise it at its own widths.

    The dense network is built anew and loses its last units; then `initialise(network)` of the
    Spec's file draws what it does, or each module's `reset_parameters` where it has none. So no
    trained weight is left. Controls of Liu et al. (2019) and Renda et al. (2020).
    """
    spec = read_spec(path)
    dense = built(spec, seed)
    drawn = {name: tensor.clone() for name, tensor in dense.state_dict().items()}
    network = filled(dense, path)
    network.load_state_dict(
        {name: _leading(drawn[name], tensor) for name, tensor in network.state_dict().items()}
    )
    with seeded(seed):
        if own := getattr(load_code(spec.code), "initialise", None):
            own(network)
        else:
            _reset(network, spec.code)
    return network


def _leading(drawn: Tensor, tensor: Tensor) -> Tensor:
    """Return the first entries of `drawn`, as many as the tensor has, but its own numbers of units.

    Those are whole numbers, such as what a shortcut copies; a count of batches has no dims.
    """
    if tensor.ndim and not tensor.is_floating_point():
        return tensor
    return drawn[tuple(slice(size) for size in tensor.shape)]


def _reset(network: nn.Module, code: str) -> None:
    """Reset each module once, those inside before it, which may set some of them otherwise."""
    names = {module: name for name, module in network.named_modules()}

    def reset(module: nn.Module) -> None:
        if module not in names:
            return
        name = names.pop(module)
        start = getattr(module, "reset_parameters", None)
        start = start or getattr(module, "_reset_parameters", None)
        if start is not None:
            start()
        elif own := [leaf for leaf, _ in module.named_parameters(recurse=False)]:
            raise Fault(
                f"{code}: start: fresh cannot re-initialise {f'{name}.{own[0]}'.lstrip('.')}; "
                "give that file a function initialise(network)"
            )

    network.apply(reset)
