"""An invented study: result records, and their files as the evaluate stages write them."""

import zlib
from functools import cache
from pathlib import Path

import numpy as np

from stages.results.files import arm_path, dense_path, pruned_path, write_result
from stages.results.records import (
    ArmResult,
    Best,
    DenseResult,
    History,
    Points,
    PrunedResult,
    Retrained,
    Selected,
    Splits,
    Untrained,
)
from stages.schedules.arm import Arm
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Rates

DENSE = 0.934
STEPS_PER_EPOCH = 20
ENVIRONMENT = {"device": "cpu", "torch": "2.14.0", "threads": 2}
METHODS = {"l1": -0.001, "random": -0.004, "fpgm": -0.001, "taylor": -0.002, "hrank": -0.003}
METHODS["magnitude"] = 0.0
# an arm, and what it gains over the dense network
SCHEDULES = {
    "finetune": (Arm("final", "constant", {"lr": 0.001}), -0.006),
    "lr_rewind": (Arm("final", "replay"), -0.003),
    "weight_rewind": (Arm("rewound", "replay"), -0.003),
    "scaled": (Arm("final", "scaled"), -0.001),
    "onecycle": (Arm("final", "onecycle"), 0.002),
    "linear": (Arm("final", "linear"), 0.001),
    "adaptive_linear": (Arm("final", "adaptive_linear"), 0.0015),
    "scratch_e": (Arm("fresh", "stretch"), -0.008),
    "scratch_b": (Arm("fresh", "stretch"), -0.004),
    "onecycle_high_momentum": (Arm("final", "onecycle", momentum=0.95), 0.0),
    "onecycle_low_peak": (Arm("final", "onecycle", {"max_lr": 0.05}), -0.002),
    "tuned": (Arm("final", "constant", {"lr": 0.01}), 0.001),
    "cosine": (Arm("final", "cosine"), 0.0005),
}


@cache
def rates(schedule: str, epochs: int) -> Rates:
    """Return the curves of a schedule after CIFAR's dense run, 0.1 and a tenth from 80 and 120."""
    lr = 0.1 * np.repeat([1, 0.1, 0.01], np.array([80, 40, 40]) * STEPS_PER_EPOCH)
    dense = DenseRates(lr, np.full(len(lr), 0.9), STEPS_PER_EPOCH)
    return SCHEDULES[schedule][0].rates(epochs, STEPS_PER_EPOCH, dense)


def scores(accuracy: float, nll: float = 0.27) -> dict[str, float | None]:
    """Return the metrics of one network on one split."""
    return {"accuracy": float(accuracy), "nll": nll, "brier": round(1.6 * (1 - accuracy), 5)}


def points(curves: Rates) -> Points:
    """Return about 200 steps of the curves."""
    steps = np.linspace(0, len(curves.lr) - 1, 200).round().astype(int)
    return Points(
        step=tuple(steps.tolist()),
        lr=tuple(curves.lr[steps].tolist()),
        momentum=tuple(curves.momentum[steps].tolist()),
    )


def retrained(method: str, schedule: str, seed: int, epochs: int, validation: bool) -> Retrained:
    """Return one replicate: accuracy rises over the epochs, noisy where the rate is large."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{method}/{schedule}".encode())])
    shared = np.random.default_rng(seed).normal(0, 0.0012)
    final = DENSE + METHODS[method] + SCHEDULES[schedule][1] + shared + rng.normal(0, 0.0008)
    lr = rates(schedule, epochs).lr[STEPS_PER_EPOCH - 1 :: STEPS_PER_EPOCH]
    heat = np.clip(lr / 0.1, 0, 1)
    noise = rng.normal(0, 1, epochs) * (0.0008 + 0.02 * heat)
    rise = 0.05 * np.exp(-np.arange(1, epochs + 1) / 3)
    test = final - rise - 0.08 * heat**0.6 + noise
    test[-1] = final
    test = np.round(test.clip(0.1, 1), 4)
    held_out = np.round((test - 0.002 + rng.normal(0, 0.001, epochs)).clip(0, 1), 4)
    chosen, best = int(held_out.argmax()), int(test.argmax())
    nll = round(0.26 + 0.01 * rng.random(), 5)
    return Retrained(
        seed=seed,
        lr_scale=1.0,
        last=Splits(
            validation=scores(held_out[-1]) if validation else None, test=scores(test[-1], nll)
        ),
        selected=Selected(
            epoch=chosen + 1 if validation else epochs,
            validation=scores(held_out[chosen]) if validation else None,
            test=scores(test[chosen if validation else -1]),
        ),
        test_best=Best(epoch=best + 1, accuracy=float(test[best])),
        history=History(
            train_loss=tuple(np.round(np.exp(-np.arange(epochs) / 9), 4).tolist()),
            validation_accuracy=tuple(held_out.tolist()) if validation else None,
            test_accuracy=tuple(test.tolist()),
        ),
    )


def arm(
    method: str, schedule: str, seeds: int = 3, epochs: int = 72, validation: bool = True
) -> ArmResult:
    """Return one arm of the invented study."""
    kind = SCHEDULES[schedule][0]
    return ArmResult(
        method=method,
        schedule=schedule,
        start=kind.start,
        curve=kind.curve,
        epochs=epochs,
        rounds=1,
        training_macs=epochs * 90_900_000,
        steps_per_epoch=STEPS_PER_EPOCH,
        environment=ENVIRONMENT,
        points=points(rates(schedule, epochs)),
        parameters=735_712,
        nonzero=735_712,
        macs=90_900_000,
        replicates=tuple(
            retrained(method, schedule, seed, epochs, validation) for seed in range(seeds)
        ),
    )


def untrained(accuracy: float, seeds: int) -> tuple[Untrained, ...]:
    """Return the scores of networks that are not retrained, 0.1 points further with every seed."""
    return tuple(
        Untrained(
            seed=seed,
            validation=scores(round(accuracy - 0.001 * seed, 4), 0.3),
            test=scores(round(accuracy + 0.001 * seed, 4), 0.3),
        )
        for seed in range(seeds)
    )


def dense(seeds: int = 3) -> DenseResult:
    """Return the dense networks of the invented study."""
    return DenseResult(
        epochs=160,
        chance=0.1,
        environment=ENVIRONMENT,
        parameters=853_018,
        nonzero=853_018,
        macs=125_500_000,
        replicates=untrained(DENSE, seeds),
    )


def pruned(method: str, seeds: int = 3) -> PrunedResult:
    """Return one method's networks before retraining."""
    return PrunedResult(
        method=method,
        granularity="filter",
        parameters=735_712,
        nonzero=735_712,
        macs=90_900_000,
        replicates=untrained(0.62, seeds),
        recalibrated=untrained(0.8, seeds),
    )


def write_study(
    folder: Path, methods: list, schedules: list, seeds: int = 3, validation: bool = True
) -> Path:
    """Write all result files of an invented study below `folder` and return `folder`."""
    write_result(dense_path(folder), dense(seeds))
    for method in methods:
        write_result(pruned_path(folder, method), pruned(method, seeds))
        for schedule in schedules:
            result = arm(method, schedule, seeds, validation=validation)
            write_result(arm_path(folder, method, schedule), result)
    return folder
