"""The cases by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.benchmarks import digits
from tests.benchmarks.memory import memory_floor
from tests.benchmarks.noop import noop
from tests.benchmarks.ratios import Row
from tests.benchmarks.runner import runner_noop, runner_stages, runner_study
from tests.benchmarks.setting import Device, Setting, has_bfloat16, settings
from tests.benchmarks.startup import startup
from tests.benchmarks.study import study
from tests.benchmarks.training import Training
from tests.benchmarks.workload import Sizes, Workload, synthetic

KINDS = {
    "epoch": "an epoch of training",
    "evaluation": "the accuracy on the test images",
    "arm": "an arm: epochs of training, each followed by an evaluation",
}
SKIPPED = "bfloat16 is skipped: the {} has no instructions for it, and emulation tells nothing"
DIGITS_REPEATS = {"epoch": 4, "evaluation": 20, "arm": 1}
SIZES = {
    Device.cpu: {"resnet20": Sizes(512, 64, 512), "resnet56": Sizes(256, 64, 256)},
    Device.cuda: {name: Sizes(25_600, 2_560, 10_240) for name in ("resnet20", "resnet56")},
}


@dataclass(frozen=True)
class Case:
    """What a case measures, how, the rounds it takes where none are asked for, and what it skips.

    `skipped` is a line that says what, and why.
    """

    about: str
    rows: Callable[[int], list[Row]]
    rounds: int = 5
    skipped: str = ""


def cases(device: Device) -> dict[str, Case]:
    """Return the cases that a device has, in the order they run."""
    trained = {
        f"{kind}-{name}": _training(kind, name, make, device)
        for kind in KINDS
        for name, make in workloads(device).items()
    }
    others = {
        "startup": Case("process start to the first step, against `import torch`", startup),
        "noop": Case("`dvc repro` with nothing to do, against a bare DAG of that shape", noop),
        "study": Case("the study of params.yaml from nothing: where the time goes", study, 1),
    }
    others |= {
        "runner-study": Case("that study by two workers, against `dvc repro`", runner_study, 1),
        "runner-stages": Case("trivial stages by two workers, from nothing", runner_stages, 1),
        "runner-noop": Case("the runner with nothing to do, against `dvc repro`", runner_noop),
    }
    if device is Device.cuda:
        floor = partial(memory_floor, workloads(device)["resnet56"])
        about = "a step, against the time to move its activations"
        others["memory-floor"] = Case(about, floor, skipped=_skipped(device))
    return trained | others


def workloads(device: Device) -> dict[str, Callable[[], Workload]]:
    """Return what is trained, by name: the study of params.yaml and CIFAR-sized noise."""
    sizes = SIZES[device].items()
    return {"digits": digits.study} | {
        name: partial(synthetic, name, count) for name, count in sizes
    }


def _training(kind: str, name: str, make: Callable[[], Workload], device: Device) -> Case:
    repeats = DIGITS_REPEATS[kind] if name == "digits" else 1
    training = Training(f"{kind}-{name}", kind, make, device, repeats)
    rows = partial(training.rows, _settings(kind, device))
    skipped = "" if kind == "evaluation" else _skipped(device)
    return Case(f"{KINDS[kind]}, {name}", rows, skipped=skipped)


def _skipped(device: Device) -> str:
    if has_bfloat16(device):
        return ""
    return SKIPPED.format("GPU" if device is Device.cuda else "processor")


def _settings(kind: str, device: Device) -> list[Setting]:
    """Return the settings that make a difference; evaluation is eager and in float32."""
    every = settings(device)
    if kind == "evaluation":
        return [
            setting for setting in every if setting.precision == "float32" and not setting.graph
        ]
    return every
