"""What a result file says, as percent by seed: the series that the statistics work on."""

import math
from collections.abc import Sequence

import pandas as pd

from stages.params.compare import Compare
from stages.reporting.records import Arm, Baseline, Dense, Network, Pruned
from stages.reporting.results import Study
from stages.reporting.statistics import Estimate, paired


def last_test(arm: Arm) -> pd.Series:
    """Test accuracy after the last epoch, in percent: the headline measure."""
    values = {run.seed: 100 * run.last.test.accuracy for run in arm.replicates}
    return pd.Series(values, name=_name(arm), dtype=float)


def mean_test(arms: Sequence[Arm]) -> pd.Series:
    """Test accuracy after the last epoch, in percent, averaged by seed over arms."""
    scores = pd.concat([last_test(arm) for arm in arms], axis=1).mean(axis=1)
    return scores.rename(" and ".join(_name(arm) for arm in arms))


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


def recalibrated_test(baseline: Baseline) -> pd.Series:
    """The same with BatchNorm statistics taken anew, in percent."""
    values = {point.seed: 100 * point.test.accuracy for point in baseline.pruned.recalibrated}
    return pd.Series(values, name=f"the recalibrated network of {baseline.method}", dtype=float)


def kept_by(study: Study, method: str) -> float:
    """Parameters that a method keeps, after its last round if it prunes in rounds, in percent."""
    arm, baseline = study.of(method)[0], study.baselines[method]
    return parameters_kept(arm if arm.rounds > 1 else baseline.pruned, baseline)


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

    Both runs see the same images in an epoch; the rounds of iterative pruning add up.
    """
    return 100 * arm.training_macs / (baseline.dense.epochs * baseline.dense.macs)


def to_dense(study: Study, settings: Compare, arm: Arm) -> Estimate:
    """An arm's test accuracy minus the dense network's, paired by seed, in points."""
    dense = dense_test(study.baselines[arm.method])
    return paired(last_test(arm), dense, settings.confidence)


def _name(arm: Arm) -> str:
    return f"{arm.method}-{arm.schedule}"
