"""What a result file says, as percent by seed: the series that the statistics work on.

A replicate that diverged is NaN in every series of its arm, and statistics carry NaN on: no mean
and no difference is ever one of the replicates that are left.
"""

import math
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.results.bits import unpacked
from stages.results.files import Results
from stages.results.records import (
    ArmResult,
    DenseResult,
    Network,
    PrunedResult,
    Retrained,
    Scores,
    Untrained,
)


def last_test(arm: ArmResult) -> pd.Series:
    """Test accuracy after the last epoch, in percent: the headline measure."""
    return _by_seed(arm, lambda run: _percent(run.last.test))


def mean_test(arms: Sequence[ArmResult]) -> pd.Series:
    """Test accuracy after the last epoch, in percent, averaged by seed over arms."""
    scores = pd.concat([last_test(arm) for arm in arms], axis=1).mean(axis=1, skipna=False)
    return scores.rename(" and ".join(_name(arm) for arm in arms))


def last_validation(arm: ArmResult) -> pd.Series:
    """Validation accuracy after the last epoch, in percent; NaN without a validation split."""
    return _by_seed(arm, lambda run: _percent(run.last.validation))


def selected_test(arm: ArmResult) -> pd.Series:
    """Test accuracy at the epoch that validation selects, in percent; NaN without validation."""
    return _by_seed(
        arm, lambda run: _percent(run.selected.test if run.selected.validation else None)
    )


def best_test(arm: ArmResult) -> pd.Series:
    """The highest test accuracy of any epoch, in percent: biased upwards."""
    return _by_seed(arm, lambda run: 100 * run.test_best.accuracy)


def last_nll(arm: ArmResult) -> pd.Series:
    """Negative log-likelihood on test data after the last epoch, NaN where it was not finite."""
    return _by_seed(arm, lambda run: run.last.test.get("nll"))


def correct(arm: ArmResult) -> list[NDArray[np.bool_]] | None:
    """Which test images are classified correctly after the last epoch, bool [images] by seed.

    None where a replicate diverged, or where the results were written before this was recorded.
    """
    runs = sorted(arm.replicates, key=lambda run: run.seed)
    if arm.diverged or any(run.correct is None for run in runs):
        return None
    return [unpacked(run.correct) for run in runs if run.correct is not None]


def dense_test(dense: DenseResult) -> pd.Series:
    """Test accuracy of the dense networks, in percent."""
    return _untrained(dense.replicates, "the dense network")


def pruned_test(pruned: PrunedResult) -> pd.Series:
    """Test accuracy of the pruned networks before retraining, in percent."""
    return _untrained(pruned.replicates, f"the pruned network of {pruned.method}")


def recalibrated_test(pruned: PrunedResult) -> pd.Series:
    """The same with BatchNorm statistics re-estimated, in percent."""
    return _untrained(pruned.recalibrated, f"the recalibrated network of {pruned.method}")


def kept_by(results: Results, method: str) -> float:
    """Parameters that a method keeps, after its last round if it prunes in rounds, in percent."""
    arms, pruned = results.of(method), results.pruned[method]
    arm = next((arm for arm in arms if arm.replicates), arms[0])
    return parameters_kept(arm if arm.rounds > 1 else pruned, pruned, results.dense)


def parameters_kept(network: Network, pruned: PrunedResult, dense: DenseResult) -> float:
    """Parameters left, in percent of the dense ones; weights that `pruned` masks are removed."""
    left = network.nonzero if pruned.granularity == "weight" else network.parameters
    return 100 * left / dense.parameters


def macs_kept(network: Network, dense: DenseResult) -> float:
    """Multiply-accumulates of one forward pass, in percent of the dense ones."""
    return 100 * network.macs / dense.macs


def training_cost(arm: ArmResult, dense: DenseResult) -> float:
    """MACs spent on retraining, in percent of those spent on dense training.

    Both runs see the same images in an epoch; the rounds of iterative pruning add up, and a
    teacher's forward passes count (see `ArmResult`).
    """
    return 100 * arm.training_macs / (dense.epochs * dense.macs)


def total_cost(arm: ArmResult, dense: DenseResult) -> float:
    """MACs spent on dense training and retraining together, in percent of dense training's."""
    return 100 + training_cost(arm, dense)


def moved_distance(arm: ArmResult) -> pd.Series:
    """Relative distance of the weights from the dense network's (`evaluation.moved`)."""
    return _by_seed(arm, lambda run: run.distance)


def moved_signs(arm: ArmResult) -> pd.Series:
    """Weights whose sign is not the dense network's, in percent of those that are left."""
    return _by_seed(arm, lambda run: None if run.sign_flips is None else 100 * run.sign_flips)


def _by_seed(arm: ArmResult, measure: Callable[[Retrained], float | None]) -> pd.Series:
    values = {run.seed: measure(run) for run in arm.replicates}
    return pd.Series(values, index=arm.seeds, name=_name(arm), dtype=float)


def _untrained(replicates: Sequence[Untrained], name: str) -> pd.Series:
    values = {point.seed: _percent(point.test) for point in replicates}
    return pd.Series(values, name=name, dtype=float)


def _percent(scores: Scores | None) -> float:
    return 100 * cast(float, scores["accuracy"]) if scores else math.nan


def _name(arm: ArmResult) -> str:
    return f"{arm.method}-{arm.schedule}"
