"""A network tried out before it trains: one step on two images, and a way to the disk and back."""

import copy
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from stages.networks.blame import blamed
from stages.networks.building import Spec, build, check_output, seeded
from stages.networks.compact import load, save
from stages.networks.fresh import fresh
from stages.pipeline.fault import Fault


def try_out(spec: Spec, shape: Sequence[int], seed: int, starts_fresh: bool = False) -> nn.Module:
    """Build a network and do with a copy, once, what training does; return it as it was built.

    `shape` is [C, H, W]; `starts_fresh` says whether an arm starts re-initialised. Raises a Fault
    that names the file, where there is one the line in it, and the remedy, for a network that
    cannot be built, run, trained, saved or, for such an arm, re-initialised.
    """
    network = build(spec, seed)
    _check_parameters(network, spec)
    check_output(network, spec, torch.zeros(*shape, dtype=torch.uint8))
    with blamed(spec.code, "the network cannot be copied", "deepcopy should work"):
        tried = copy.deepcopy(network)
    _step(tried, spec, shape)
    remedy = "its state should be tensors alone"
    with TemporaryDirectory() as folder:
        file = Path(folder, "network.safetensors")
        with blamed(spec.code, "the network cannot be saved", remedy):
            save(file, tried, spec)
            load(file)
        if starts_fresh:
            with blamed(spec.code, "start: fresh cannot re-initialise it", "see its `initialise`"):
                fresh(file, seed)
    return network


def _check_parameters(network: nn.Module, spec: Spec) -> None:
    parameters = dict(network.named_parameters())
    about = f"model.factory: {spec.factory} of {spec.code} returns a network"
    if not parameters:
        raise Fault(f"{about} without parameters; there is nothing to train")
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise Fault(f"{about} whose parameters are all frozen; set requires_grad of some")
    for name, parameter in parameters.items():
        if parameter.dtype != torch.float32:
            raise Fault(f"{about} whose {name} is {_kind(parameter)}; it should be float32")


def _step(network: nn.Module, spec: Spec, shape: Sequence[int]) -> None:
    """Run forward and backward in training mode; a Fault where that is no step of training."""
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    remedy = f"it should train on images {list(images.shape)}"
    with seeded(0), blamed(spec.code, "in training mode the network fails", remedy):
        logits = network.train()(images)
        loss = _loss(logits, spec)
        loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            raise Fault(
                f"model.factory: {spec.factory} of {spec.code}: the loss does not depend on "
                f"{name}; use it, leave it out or freeze it"
            )


def _loss(logits: object, spec: Spec) -> Tensor:
    about = f"model.factory: in training mode {spec.factory} of {spec.code} returns"
    whole = [2, spec.num_classes]
    if not isinstance(logits, Tensor) or list(logits.shape) != whole:
        given = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise Fault(f"{about} {given} for two images; it should be {whole}, the logits alone")
    if logits.dtype != torch.float32:
        raise Fault(f"{about} {_kind(logits)}; it should be float32")
    loss = nn.functional.cross_entropy(logits, torch.arange(2) % spec.num_classes)
    if not loss.isfinite():
        raise Fault(f"{about} logits whose loss is {loss:g} untrained; change its weights")
    return loss


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
