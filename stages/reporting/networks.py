"""The table of networks before retraining: dense, and as each method pruned it."""

import pandas as pd

from stages.reporting.markdown import code, mean_sd, table
from stages.reporting.measures import (
    dense_test,
    macs_kept,
    parameters_kept,
    pruned_test,
    recalibrated_test,
)
from stages.reporting.records import Baseline
from stages.reporting.results import Study


def networks(study: Study) -> str:
    """The table, and how MACs are counted."""
    rows = [
        (
            name,
            mean_sd(scores),
            mean_sd(anew) if anew is not None else "–",
            f"{network.parameters:,}",
            f"{parameters_kept(network, baseline):.1f}",
            f"{network.macs / 1e6:,.1f} M",
            f"{macs_kept(network, baseline):.1f}",
            str(len(scores)),
        )
        for baseline in study.baselines.values()
        for name, network, scores, anew in (
            ("dense", baseline.dense, dense_test(baseline), None),
            (_name(study, baseline), baseline.pruned, *_tests(baseline)),
        )
    ]
    header = [
        "Network",
        "Test, %",
        "recalibrated, %",
        "Parameters",
        "kept, %",
        "MACs",
        "kept, %",
        "n",
    ]
    convention = (
        "Recalibrated: the pruned network with BatchNorm statistics taken anew from the training "
        "images. MACs are the multiply-accumulates of convolutions and linear layers for one "
        "image: one multiplication and one addition count as one, and weights that are zero count "
        "too."
    )
    if any(baseline.granularity == "weight" for baseline in study.baselines.values()):
        convention += " Weights that a mask holds at zero are not among the parameters kept."
    if any(arm.rounds > 1 for arm in study.arms.values()):
        convention += (
            " A method that prunes in rounds stands here after the first: its masks are shared by "
            "all arms in that round alone, since later ones depend on the retraining before."
        )
    return f"{table(header, dict.fromkeys(rows))}\n\n{convention}"


def _name(study: Study, baseline: Baseline) -> str:
    rounds = study.of(baseline.method)[0].rounds
    turn = f", round 1 of {rounds}" if rounds > 1 else ""
    return f"pruned by {code(baseline.method)}{turn}"


def _tests(baseline: Baseline) -> tuple[pd.Series, pd.Series]:
    return pruned_test(baseline), recalibrated_test(baseline)
