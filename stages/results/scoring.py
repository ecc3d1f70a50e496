"""From outcomes to result records: logits against labels, histories, sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count, repeat
from pathlib import Path
from typing import Any

import numpy as np

from stages.evaluation.metrics import agreement, class_correct, confidence_bins, scores
from stages.evaluation.outcome import SPLITS, Outcome
from stages.pipeline.files import load_array, read_json
from stages.results.bits import packed
from stages.results.records import (
    ArmResult,
    Best,
    Bins,
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
STEP = 3
"""Forward passes that a step of training costs: one, and a backward pass of about two."""
Labels = Mapping[str, np.ndarray]


def read_labels(folder: Path) -> dict[str, np.ndarray]:
    """Read the labels, int64 [N], of the splits that are scored from the folder of the data."""
    return {split: load_array(folder / f"{split}_labels.npy", np.int64) for split in SPLITS}


def read_classes(folder: Path) -> tuple[str, ...]:
    """Read the names of the classes from the folder of the data."""
    return tuple(read_json(folder / "description.json")["classes"])


def dense_result(
    outcomes: Sequence[Outcome],
    labels: Labels,
    seed: int,
    environment: dict[str, Any],
    epochs: int,
    classes: tuple[str, ...],
) -> DenseResult:
    """Score the dense networks of `epochs` epochs; replicate i has the seed `seed + i`."""
    images = np.bincount(labels["test"], minlength=len(classes))
    return DenseResult(
        **_size(outcomes),
        epochs=epochs,
        given=not outcomes[0].history,
        classes=classes,
        class_images=tuple(images.tolist()),
        chance=float(images.max() / images.sum()),
        environment=environment,
        replicates=_untrained(outcomes, "final", labels, seed),
    )


def pruned_result(
    method: str,
    granularity: str,
    outcomes: Sequence[Outcome],
    labels: Labels,
    seed: int,
    dense: Sequence[Outcome],
) -> PrunedResult:
    """Score one method's networks before any retraining; `dense` are the outcomes of the dense."""
    return PrunedResult(
        **_size(outcomes),
        method=method,
        granularity=granularity,
        replicates=_untrained(outcomes, "pruned", labels, seed, dense),
        recalibrated=_untrained(outcomes, "recalibrated", labels, seed, dense),
    )


def arm_result(
    method: str,
    schedule: str,
    plan: Plan,
    outcomes: Sequence[Outcome],
    labels: Labels,
    seed: int,
    environment: dict[str, Any],
    dense: Sequence[Outcome],
) -> ArmResult:
    """Score the retrained networks of one arm; a replicate that diverged has no scores.

    `dense` are the outcomes of the dense networks, replicate by replicate.
    """
    numbered = list(zip(count(seed), outcomes, dense, strict=False))
    known = [outcome for outcome in outcomes if not outcome.diverged] or outcomes
    size = _size(known)
    rounds, epochs, macs = _rounds(plan, known, size["macs"])
    if plan.technique.teacher:
        macs += epochs * _size(dense)["macs"] / STEP
    before = float(np.mean([outcome.before_macs for outcome in known]))
    scale = float(np.mean([outcome.lr_scale for outcome in outcomes]))
    return ArmResult(
        **size,
        method=method,
        schedule=schedule,
        start=plan.start,
        curve=plan.curve,
        epochs=plan.epochs,
        rounds=rounds,
        training_macs=macs * plan.technique.passes + before,
        steps_per_epoch=plan.rates.steps_per_epoch,
        environment=environment,
        points=points(scaled(plan.rates, scale)),
        replicates=tuple(
            _retrained(outcome, labels, at, whole)
            for at, outcome, whole in numbered
            if not outcome.diverged
        ),
        diverged=tuple(
            _diverged(outcome, at, outcome.diverged)
            for at, outcome, _ in numbered
            if outcome.diverged
        ),
    )


def points(rates: Rates) -> Points:
    """Return at most POINTS + 1 evenly spaced steps of the rates, first and last among them.

    Of no steps it is one, at which nothing moves.
    """
    if not len(rates.lr):
        return Points(step=(0,), lr=(0.0,), momentum=(0.0,))
    last = len(rates.lr) - 1
    steps = np.unique(np.linspace(0, last, min(last, POINTS) + 1).round().astype(int))
    return Points(
        step=tuple(steps.tolist()),
        lr=tuple(rates.lr[steps].tolist()),
        momentum=tuple(rates.momentum[steps].tolist()),
    )


def _size(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return the mean size of replicates, rounded: global criteria prune each differently."""
    sizes = {
        name: [size for outcome in outcomes if (size := getattr(outcome, name)) is not None]
        for name in ("parameters", "nonzero", "macs", "file_bytes")
    }
    return {name: round(sum(each) / len(each)) for name, each in sizes.items() if each}


def _rounds(plan: Plan, outcomes: Sequence[Outcome], macs: float) -> tuple[int, int, float]:
    """Return the number of rounds, their epochs, and the MACs of all epochs, summed.

    `macs` are those of an arm without rounds.
    """
    by_round = [outcome.round_macs for outcome in outcomes]
    if not by_round[0]:
        return 1, plan.rates.epochs, plan.rates.epochs * macs
    rounds = max(map(len, by_round))
    lengths = [plan.of_round(number + 1).epochs for number in range(rounds)]
    spent = [sum(e * m for e, m in zip(lengths, each, strict=False)) for each in by_round]
    return rounds, sum(lengths), float(np.mean(spent))


def _untrained(
    outcomes: Sequence[Outcome],
    network: str,
    labels: Labels,
    seed: int,
    dense: Sequence[Outcome] | None = None,
) -> tuple[Untrained, ...]:
    return tuple(
        Untrained(
            seed=at,
            **_splits(outcome.logits[network], labels, whole),
            **_by_image(outcome.logits[network]["test"], labels["test"]),
        )
        for at, outcome, whole in zip(count(seed), outcomes, dense or repeat(None), strict=False)
    )


def _splits(logits: Labels, labels: Labels, dense: Outcome | None) -> dict[str, Any]:
    """Return a network's scores by split, and its agreement with the dense network."""
    found: dict[str, Any] = dict.fromkeys(SPLITS)
    for split, ours in logits.items():
        found[split] = scores(ours, labels[split])
        if dense:
            found[split]["agreement"] = agreement(ours, dense.logits["final"][split])
    return found


def _by_image(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return what is counted by class and by confidence."""
    bins = {name: array.tolist() for name, array in asdict(confidence_bins(logits, labels)).items()}
    return {"class_correct": class_correct(logits, labels).tolist(), "bins": Bins(**bins)}


def _retrained(outcome: Outcome, labels: Labels, seed: int, dense: Outcome) -> Retrained:
    """Return a replicate's scores, and the epochs that two ways of selection choose."""
    last, moved = outcome.logits["last"], outcome.moved
    test, validation = (outcome.history[f"{split}_accuracy"] for split in ("test", "validation"))
    held_out = not np.isnan(validation).any()
    selected = _last_best(validation) if held_out else len(validation)
    reached = last["test"].argmax(1) == labels["test"]
    best = float(test.max()) if len(test) else float(np.mean(reached))
    return Retrained(
        seed=seed,
        lr_scale=outcome.lr_scale,
        correct=packed(reached),
        **_by_image(last["test"], labels["test"]),
        **(asdict(moved) if moved else {}),
        last=Splits(**_splits(last, labels, dense)),
        selected=Selected(epoch=selected, **_splits(outcome.logits["selected"], labels, dense)),
        test_best=Best(epoch=_last_best(test), accuracy=best),
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
    """Return the last of the best epochs, from 1; 0 where there are none."""
    return len(accuracies) - int(np.argmax(accuracies[::-1])) if len(accuracies) else 0
