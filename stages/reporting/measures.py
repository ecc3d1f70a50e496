"""What a result file says, as percent by seed: the series that the statistics work on."""

import math

import pandas as pd

from stages.params.compare import Compare
from stages.reporting.records import Arm, Baseline, Dense, Network, Pruned
from stages.reporting.results import Study
from stages.reporting.statistics import Estimate, paired


def last_test(arm: Arm) -> pd.Series:
    """Test accuracy after the last epoch, in percent: the headline measure."""
    values = {run.seed: 100 * run.last.test.accuracy for run in arm.replicates}
    return pd.Series(values, name=_name(arm), dtype=float)


def last_validation(arm: Arm) -> pd.Series:
    """Validation accuracy after the last epoch, in percent; NaN without a validation split."""
    values = {
        run.seed: 100 * run.last.validation.accuracy if run.last.validation else math.nan
        for run in arm.replicates
    }
    return pd.Series(values, name=_name(arm), dtype=float)


def selected_test(arm: Arm) -> pd.Series:
    """Test accuracy at the epoch that validation selects, in percent; NaN without validation."""
    values = {
        run.seed: 100 * run.selected.test.accuracy
        if run.selected and run.selected.validation
        else math.nan
        for run in arm.replicates
    }
    return pd.Series(values, name=_name(arm), dtype=float)


def best_test(arm: Arm) -> pd.Series:
    """The highest test accuracy of any epoch, in percent: biased upwards."""
    values = {run.seed: 100 * run.test_best.accuracy for run in arm.replicates}
    return pd.Series(values, name=_name(arm), dtype=float)


def last_loss(arm: Arm) -> pd.Series:
    """Test loss after the last epoch, NaN where it was not finite."""
    values = {run.seed: run.last.test.loss for run in arm.replicates}
    return pd.Series(values, name=_name(arm), dtype=float)


def untrained_test(network: Pruned | Dense, name: str) -> pd.Series:
    """Test accuracy of a dense or freshly pruned network, in percent."""
    values = {point.seed: 100 * point.test.accuracy for point in network.replicates}
    return pd.Series(values, name=name, dtype=float)


def dense_test(baseline: Baseline) -> pd.Series:
    """Test accuracy of the dense network, in percent."""
    return untrained_test(baseline.dense, f"the dense network of {baseline.method}")


def pruned_test(baseline: Baseline) -> pd.Series:
    """Test accuracy of the pruned network before retraining, in percent."""
    return untrained_test(baseline.pruned, f"the pruned network of {baseline.method}")


def parameters_kept(network: Network, baseline: Baseline) -> float:
    """Parameters left, in percent of the dense ones; masked weights count as removed."""
    masked = baseline.granularity == "weight"
    left = network.nonzero if masked else network.parameters
    return 100 * left / baseline.dense.parameters


def macs_kept(network: Network, baseline: Baseline) -> float:
    """Multiply-accumulates of one forward pass, in percent of the dense ones."""
    return 100 * network.macs / baseline.dense.macs


def training_cost(arm: Arm, baseline: Baseline) -> float:
    """MACs spent on retraining, in percent of those spent on dense training.

    Epochs times MACs per image; both runs see the same images in an epoch.
    """
    return 100 * arm.epochs * arm.macs / (baseline.dense.epochs * baseline.dense.macs)


def to_baseline(study: Study, settings: Compare, arm: Arm) -> Estimate:
    """An arm's test accuracy minus the baseline arm's, paired by seed, in points."""
    baseline = study.arms[arm.method, settings.baseline]
    return paired(last_test(arm), last_test(baseline), settings.confidence)


def to_dense(study: Study, settings: Compare, arm: Arm) -> Estimate:
    """An arm's test accuracy minus the dense network's, paired by seed, in points."""
    dense = dense_test(study.baselines[arm.method])
    return paired(last_test(arm), dense, settings.confidence)


def _name(arm: Arm) -> str:
    return f"{arm.method}-{arm.schedule}"
