"""From outcomes to result records: logits against labels, histories, sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stages.evaluation.metrics import scores
from stages.evaluation.outcome import SPLITS, Outcome
from stages.pipeline.files import load_array
from stages.results.bits import packed
from stages.results.records import (
    ArmResult,
    Best,
    DenseResult,
    Diverged,
    History,
    Points,
    PrunedResult,
    Retrained,
    Selected,
    Splits,
    Untrained,
)
from stages.retraining.plan import Plan, scaled
from stages.schedules.rates import Rates
from stages.training.divergence import Divergence

POINTS = 200
Labels = Mapping[str, np.ndarray]


def read_labels(folder: Path) -> dict[str, np.ndarray]:
    """Read the labels, int64 [N], of the splits that are scored from the folder of the data."""
    return {split: load_array(folder / f"{split}_labels.npy", np.int64) for split in SPLITS}


def dense_result(
    outcomes: Sequence[Outcome],
    labels: Labels,
    seed: int,
    environment: dict[str, Any],
    epochs: int,
) -> DenseResult:
    """Score the dense networks of `epochs` epochs; replicate i has the seed `seed + i`."""
    return DenseResult(
        **_size(outcomes),
        epochs=epochs,
        given=not outcomes[0].history,
        chance=float(np.bincount(labels["test"]).max() / len(labels["test"])),
        environment=environment,
        replicates=_untrained(outcomes, "final", labels, seed),
    )


def pruned_result(
    method: str, granularity: str, outcomes: Sequence[Outcome], labels: Labels, seed: int
) -> PrunedResult:
    """Score one method's networks before any retraining."""
    return PrunedResult(
        **_size(outcomes),
        method=method,
        granularity=granularity,
        replicates=_untrained(outcomes, "pruned", labels, seed),
        recalibrated=_untrained(outcomes, "recalibrated", labels, seed),
    )


def arm_result(
    method: str,
    schedule: str,
    plan: Plan,
    outcomes: Sequence[Outcome],
    labels: Labels,
    seed: int,
    environment: dict[str, Any],
) -> ArmResult:
    """Score the retrained networks of one arm; a replicate that diverged has no scores."""
    numbered = [(seed + number, outcome) for number, outcome in enumerate(outcomes)]
    finished = [(at, outcome) for at, outcome in numbered if not outcome.diverged]
    known = [outcome for _, outcome in finished] or outcomes
    size = _size(known)
    rounds, macs = _rounds(known, size["macs"])
    scale = float(np.mean([outcome.lr_scale for outcome in outcomes]))
    return ArmResult(
        **size,
        method=method,
        schedule=schedule,
        start=plan.start,
        curve=plan.curve,
        epochs=plan.rates.epochs,
        rounds=rounds,
        training_macs=plan.rates.epochs * macs,
        steps_per_epoch=plan.rates.steps_per_epoch,
        environment=environment,
        points=points(scaled(plan.rates, scale)),
        replicates=tuple(_retrained(outcome, labels, at) for at, outcome in finished),
        diverged=tuple(
            _diverged(outcome, at, outcome.diverged) for at, outcome in numbered if outcome.diverged
        ),
    )


def points(rates: Rates) -> Points:
    """Return at most POINTS + 1 evenly spaced steps of the rates, first and last among them."""
    last = len(rates.lr) - 1
    steps = np.unique(np.linspace(0, last, min(last, POINTS) + 1).round().astype(int))
    return Points(
        step=tuple(steps.tolist()),
        lr=tuple(rates.lr[steps].tolist()),
        momentum=tuple(rates.momentum[steps].tolist()),
    )


def _size(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return the mean size of replicates, rounded: global criteria prune each differently."""
    names = ("parameters", "nonzero", "macs")
    totals = {name: sum(getattr(outcome, name) for outcome in outcomes) for name in names}
    return {name: round(total / len(outcomes)) for name, total in totals.items()}


def _rounds(outcomes: Sequence[Outcome], macs: float) -> tuple[int, float]:
    """Return the number of rounds and the MACs of one epoch in each, summed."""
    by_round = [outcome.round_macs for outcome in outcomes]
    if not by_round[0]:
        return 1, macs
    return max(map(len, by_round)), float(np.mean([sum(rounds) for rounds in by_round]))


def _untrained(
    outcomes: Sequence[Outcome], network: str, labels: Labels, seed: int
) -> tuple[Untrained, ...]:
    return tuple(
        Untrained(seed=seed + number, **_splits(outcome, network, labels))
        for number, outcome in enumerate(outcomes)
    )


def _splits(outcome: Outcome, network: str, labels: Labels) -> dict[str, Any]:
    logits = outcome.logits[network]
    return {
        split: scores(logits[split], labels[split]) if split in logits else None for split in SPLITS
    }


def _retrained(outcome: Outcome, labels: Labels, seed: int) -> Retrained:
    """Return a replicate's scores, and the epochs that two ways of selection choose."""
    test, validation = (outcome.history[f"{split}_accuracy"] for split in ("test", "validation"))
    held_out = not np.isnan(validation).any()
    selected = _last_best(validation) if held_out else len(validation)
    return Retrained(
        seed=seed,
        lr_scale=outcome.lr_scale,
        correct=packed(outcome.logits["last"]["test"].argmax(1) == labels["test"]),
        last=Splits(**_splits(outcome, "last", labels)),
        selected=Selected(epoch=selected, **_splits(outcome, "selected", labels)),
        test_best=Best(epoch=_last_best(test), accuracy=float(test.max())),
        history=_history(outcome),
    )


def _diverged(outcome: Outcome, seed: int, found: Divergence) -> Diverged:
    return Diverged(
        seed=seed, lr_scale=outcome.lr_scale, history=_history(outcome), **asdict(found)
    )


def _history(outcome: Outcome) -> History:
    columns = outcome.history
    held_out = not np.isnan(columns["validation_accuracy"]).any()
    return History(
        train_loss=columns["train_loss"].tolist(),
        validation_accuracy=columns["validation_accuracy"].tolist() if held_out else None,
        test_accuracy=columns["test_accuracy"].tolist(),
    )


def _last_best(accuracies: np.ndarray) -> int:
    return len(accuracies) - int(np.argmax(accuracies[::-1]))
