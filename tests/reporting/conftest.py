"""Result files of an invented study, written as `evaluate` and `baseline` write them."""

import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

DENSE = 0.934
METHODS = {"l1": -0.001, "random": -0.004, "fpgm": -0.001, "taylor": -0.002, "hrank": -0.003}
METHODS["magnitude"] = 0.0
SCHEDULES = {
    "finetune": ("final", "constant", -0.006),
    "lr_rewind": ("final", "dense_tail", -0.003),
    "weight_rewind": ("rewound", "dense_tail", -0.003),
    "scaled": ("final", "scaled", -0.001),
    "onecycle": ("final", "onecycle", 0.002),
    "linear": ("final", "linear", 0.001),
    "adaptive_linear": ("final", "linear", 0.0015),
    "scratch_e": ("fresh", "dense_tail", -0.008),
    "scratch_b": ("fresh", "dense_tail", -0.004),
    "onecycle_high_momentum": ("final", "onecycle", 0.0),
    "onecycle_low_peak": ("final", "onecycle", -0.002),
    "cosine": ("final", "cosine", 0.0005),
}


def learning_rate(curve: str, x: np.ndarray) -> np.ndarray:
    """Return a curve's learning rate at the fraction x of the run."""
    rise = 0.001 + (0.1 - 0.001) * (1 - np.cos(np.pi * np.clip(x / 0.1, 0, 1))) / 2
    rest = np.clip((x - 0.1) / 0.9, 0, 1)
    match curve:
        case "constant":
            return np.full_like(x, 0.001)
        case "dense_tail":
            return np.where(x < 0.44, 0.01, 0.001)
        case "scaled":
            return np.where(
                x < 0.1, rise, 0.1 * 0.1 ** (np.floor(np.clip(rest, 0, 0.999) * 4) - 1).clip(0)
            )
        case "onecycle":
            return np.where(x < 0.1, rise, 1e-5 + (0.1 - 1e-5) * (1 + np.cos(np.pi * rest)) / 2)
        case "linear":
            return np.where(x < 0.1, rise - 0.001, 0.1 * (1 - rest))
    return 0.1 * (1 + np.cos(np.pi * x)) / 2


def arm(method: str, schedule: str, seeds: int, epochs: int = 72, validation: bool = True) -> dict:
    """Return one arm of the invented study."""
    start, curve, gain = SCHEDULES[schedule]
    steps_per_epoch = 703
    x = np.linspace(0, 1, 200)
    lr = learning_rate(curve, x)
    replicates = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, zlib.crc32(f"{method}/{schedule}".encode())])
        shared = np.random.default_rng(seed).normal(0, 0.0012)
        final = DENSE + METHODS[method] + gain + shared + rng.normal(0, 0.0008)
        t = np.arange(1, epochs + 1) / epochs
        heat = np.clip(learning_rate(curve, t) / 0.1, 0, 1)
        noise = rng.normal(0, 1, epochs) * (0.0008 + 0.02 * heat)
        test = final - 0.05 * np.exp(-t * epochs / 3) - 0.08 * heat**0.6 + noise
        test[-1] = final
        test = np.round(test.clip(0.1, 1), 4)
        held_out = np.round(test - 0.002 + rng.normal(0, 0.001, epochs), 4)
        chosen = int(held_out.argmax())
        scores = {
            "train": {"accuracy": 0.999, "loss": 0.004},
            "validation": {"accuracy": float(held_out[-1]), "loss": 0.27} if validation else None,
            "test": {"accuracy": float(test[-1]), "loss": round(0.26 + 0.01 * rng.random(), 5)},
        }
        picked = {
            "epoch": chosen + 1,
            **scores,
            "test": {"accuracy": float(test[chosen]), "loss": 0.27},
        }
        replicates.append(
            {
                "seed": seed,
                "lr_scale": 1.0,
                "last": scores,
                "selected": picked if validation else None,
                "test_best": {"epoch": int(test.argmax()) + 1, "accuracy": float(test.max())},
                "history": {
                    "train_loss": [math.exp(-e / 9) for e in range(epochs)],
                    "validation_accuracy": held_out.tolist() if validation else None,
                    "test_accuracy": test.tolist(),
                },
            }
        )
    return {
        "method": method,
        "schedule": schedule,
        "start": start,
        "curve": curve,
        "epochs": epochs,
        "steps_per_epoch": steps_per_epoch,
        "environment": {"device": "cpu", "torch": "2.14.0", "threads": 2},
        "curve_points": {
            "step": [round(p * (epochs * steps_per_epoch - 1)) for p in x],
            "lr": lr.tolist(),
            "momentum": (0.95 - lr).tolist() if curve == "onecycle" else [0.9] * len(x),
        },
        "parameters": 735712,
        "nonzero": 735712,
        "macs": 90900000,
        "rounds": 1,
        "training_macs": epochs * 90900000,
        "replicates": replicates,
    }


def baseline(method: str, seeds: int) -> dict:
    """Return the dense and the pruned network of one method."""

    def scores(accuracy: float) -> list[dict]:
        score = {"loss": 0.3}
        return [
            {
                "seed": seed,
                "train": {"accuracy": 0.99, **score},
                "validation": {"accuracy": round(accuracy - 0.001 * seed, 4), **score},
                "test": {"accuracy": round(accuracy + 0.001 * seed, 4), **score},
            }
            for seed in range(seeds)
        ]

    dense = {"parameters": 853018, "nonzero": 853018, "macs": 125500000, "epochs": 160}
    pruned = {"parameters": 735712, "nonzero": 735712, "macs": 90900000}
    return {
        "method": method,
        "granularity": "filter",
        "environment": {"device": "cpu", "torch": "2.14.0", "threads": 2},
        "dense": {**dense, "replicates": scores(DENSE)},
        "pruned": {**pruned, "replicates": scores(0.62), "recalibrated": scores(0.8)},
    }


def write(path: Path, value: dict) -> None:
    """Write one result file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_study(folder: Path, methods: list, schedules: list, seeds: int = 3, **options) -> Path:
    """Write all result files of an invented study below `folder` and return `folder`."""
    for method in methods:
        write(folder / "baselines" / f"{method}.json", baseline(method, seeds))
        for schedule in schedules:
            write(
                folder / "arms" / method / f"{schedule}.json",
                arm(method, schedule, seeds, **options),
            )
    return folder


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an invented study and returns its folder."""
    return lambda *args, **options: write_study(tmp_path / "reports", *args, **options)
