"""The speed of a study's networks, timed in as many processes as it will have side by side.

Processes take memory bandwidth, caches and clock rate from each other, replicates on one GPU take
turns, and the devices of one replicate wait for each other: what is timed is what will run.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

from stages.evaluation.cost import cost
from stages.evaluation.measure import measure
from stages.images.prepared import ImageSet, Prepared, load
from stages.networks import compact
from stages.networks.building import Spec
from stages.networks.exporting import write_onnx
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_json
from stages.pruning.replicate import Task, prune_replicate
from stages.pruning.settings import Entry
from stages.replicates import ranks
from stages.replicates.environment import activate
from stages.replicates.precision import placed
from stages.replicates.settings import Compute
from stages.schedules.rates import Rates, steps_per_epoch
from stages.study.networks import dense_network, pruned_networks, rounds_of
from stages.study.price import Speed
from stages.study.settings import Study
from stages.training.loop import Run
from stages.training.optimizer import Optimizer

STEPS, TESTED = 4, 512
"""Steps of an epoch that is timed, and images of a test: few, so that large networks take part."""
ENOUGH_SECONDS = 1.0
MOST = 20
LOOK = 0.002
PATIENCE = 600.0


@dataclass(frozen=True)
class Probe:
    """What every process times: a study on prepared images; `folder` is where processes meet.

    Of `gpus` the dense runs use the first alone, since they are one stage, and arms use all.
    """

    study: Study
    images: Path
    folder: Path
    processes: int
    gpus: int
    begun: float

    def __call__(self, number: int) -> None:
        """Time everything in process `number`, beside the others; write what was found."""
        study, started = self.study, time.monotonic() - self.begun
        dense = self._speed(number, "dense", self._dense(), 0, started)
        pruned, pruning, known = {}, {}, {_form(self._dense()): dense}
        unknown: dict[str, str] = {}
        for name, entry in {**study.prune.methods, **study.prune.iterative}.items():
            try:
                networks = left(study, entry, self.images)
            except Fault as fault:
                networks, unknown[name] = [self._dense()] * len(rounds_of(entry)), f"{fault}"
            for turn, network in enumerate(networks):
                if _form(network) not in known:
                    label, gpu = f"{name}{turn}", gpu_of(number, self.gpus)
                    known[_form(network)] = self._speed(number, label, network, gpu, started)
            pruned[name] = [asdict(known[_form(network)]) for network in networks]
            pruning[name] = self._pruning(number, name, entry, known[_form(networks[0])])
        if ranks.leads():
            found = {"dense": asdict(dense), "pruned": pruned}
            found |= {"pruning": pruning, "unknown": unknown}
            write_json(self.folder / f"{number}.json", found)

    def _dense(self) -> nn.Module:
        return dense_network(self.study, self.images / "description.json")[0]

    def _speed(
        self, number: int, label: str, network: nn.Module, gpu: int, started: float
    ) -> Speed:
        compute = on_gpu(self.study.compute, gpu, self.gpus)
        data = load(self.images, activate(compute))
        self._meet(label, number)
        first = min(STEPS, _steps(self.study, data))
        begun = time.perf_counter()
        run = _run(network, self.study, data, compute, first)
        run.advance()
        self._save(number, network, run.data)
        taken = time.perf_counter() - begun
        some = int(ranks.from_leader(ENOUGH_SECONDS / MOST / _seconds(run.advance, 1) * first))
        run = _run(network, self.study, data, compute, max(first, some))
        step = _seconds(run.advance) / run.rates.steps_per_epoch
        image = _seconds(lambda: run.accuracy(run.data.test)) / len(run.data.test.labels)
        return Speed(
            step,
            image,
            started + max(0.0, taken - first * step - _tested(run.data) * image),
            sum(tensor.nbytes for tensor in network.state_dict().values()),
            cost(network, data.shape).macs,
        )

    @ranks.by_leader
    def _save(self, number: int, network: nn.Module, data: Prepared) -> None:
        file = self.folder / f"network_{number}.safetensors"
        compact.save(file, network, self._spec(data))
        measure({"last": file}, data, self.study.compute)

    def _pruning(self, number: int, name: str, entry: Entry, after: Speed) -> float:
        """Return the seconds of pruning and of its files, without images through what it leaves."""
        compute, folder = on_gpu(self.study.compute, 0, self.gpus), self.folder / f"{number}"
        data = load(self.images, activate(compute))
        calibration = self.study.prune.calibration
        few = _few(data, calibration.batches * calibration.batch_size)
        task = Task(
            rounds_of(entry)[0],
            calibration,
            compute,
            self.study.seed,
            folder / name,
            folder / "outcomes",
        )
        file = folder / f"dense_{ranks.number()}.safetensors"
        folder.mkdir(exist_ok=True)
        compact.save(file, self._dense(), self._spec(data))
        self._meet(f"pruning {name}", number)
        if not ranks.leads():
            return 0.0
        begun = time.perf_counter()
        try:
            prune_replicate(task, file, 0, few)
        except Fault:
            return 0.0  # `rehearse` says so
        passed = len(few.train.labels) + 2 * _tested(few)
        return max(0.0, time.perf_counter() - begun - passed * after.image)

    def _spec(self, data: Prepared) -> Spec:
        model = self.study.model
        return Spec(model.code, model.factory, model.options, data.classes, data.shape[0])

    def _meet(self, label: str, number: int) -> None:
        """Wait until all processes are here: they are to compute at the same time."""
        (self.folder / f"at {label}, {number} {ranks.number()}").touch()
        deadline = time.monotonic() + PATIENCE
        while len(list(self.folder.glob(f"at {label}, *"))) < self.processes:
            if time.monotonic() > deadline:
                raise Fault("the processes that time the networks did not all get there")
            time.sleep(LOOK)


def left(study: Study, entry: Entry, images: Path) -> list[nn.Module]:
    """Return what each round of a method leaves; a Fault where its sizes need training."""
    network, shape = dense_network(study, images / "description.json")
    return pruned_networks(network, entry, shape)


def gpu_of(process: int, gpus: int) -> int:
    """Return the GPU of a process where arms share several: each stage has one, in turns."""
    return process % gpus if gpus else 0


def on_gpu(compute: Compute, gpu: int, gpus: int) -> Compute:
    """Return the settings of a process on one of several GPUs; else as they are."""
    if gpus < 2 or compute.device not in ("auto", "cuda"):
        return compute
    return compute.model_copy(update={"device": f"cuda:{gpu}"})


def export_seconds(study: Study, images: Path, method: str, target: Path) -> float:
    """Return how long a dense network and that of a method take to be written as ONNX."""
    network, shape = dense_network(study, images / "description.json")
    entry = {**study.prune.methods, **study.prune.iterative}[method]
    try:
        networks = [network, left(study, entry, images)[0]]
    except Fault:
        networks = [network, network]
    begun = time.perf_counter()
    for each in networks:
        write_onnx(each.eval(), torch.zeros(2, *shape), target)
    return time.perf_counter() - begun


def _run(network: nn.Module, study: Study, data: Prepared, compute: Compute, steps: int) -> Run:
    """Return a run of short epochs, on a few images."""
    recipe, steps = study.train.recipe, min(steps, _steps(study, data))
    few = _few(data, steps * recipe.batch_size)
    network = placed(network, data.mean.device, compute)
    nothing = Rates(np.zeros(steps * (MOST + 4)), np.zeros(steps * (MOST + 4)), steps)
    optimizer = Optimizer(network, recipe.optimizer, decayed=recipe.decayed, clip=recipe.clip)
    return Run(network, optimizer, few, recipe, nothing, study.seed, 0, compute=compute)


def _steps(study: Study, data: Prepared) -> int:
    return steps_per_epoch(len(data.train.labels), study.train.recipe.batch_size)


def _few(data: Prepared, trained: int) -> Prepared:
    """Return the first images of each part."""
    return replace(
        data,
        train=_first(data.train, trained),
        validation=_first(data.validation, TESTED),
        test=_first(data.test, TESTED),
    )


def _first(images: ImageSet, count: int) -> ImageSet:
    return ImageSet(images.images[:count], images.labels[:count])


def _tested(data: Prepared) -> int:
    return len(data.validation.labels) + len(data.test.labels)


def _seconds(call: Callable[[], object], most: int = MOST) -> float:
    """Return the median time of a call after one to warm up, for ENOUGH_SECONDS or `most` calls.

    The devices of a replicate make as many calls as their leader.
    """
    call()
    taken: list[float] = []
    while ranks.from_leader(not taken or (sum(taken) < ENOUGH_SECONDS and len(taken) < most)):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def _form(network: nn.Module) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return what two networks of equal speed have in common: the shapes of their tensors."""
    return tuple((name, tuple(tensor.shape)) for name, tensor in network.state_dict().items())
