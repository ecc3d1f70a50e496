"""The networks before retraining: dense, and as each method pruned it."""

from collections.abc import Iterator

import pandas as pd

from stages.reporting.measures import (
    dense_test,
    macs_kept,
    parameters_kept,
    pruned_test,
    recalibrated_test,
)
from stages.reporting.report import Report, Section
from stages.reporting.tables import markdown, mean_columns, mean_sd
from stages.reporting.words import code
from stages.results.files import Results
from stages.results.records import DenseResult, Network, PrunedResult

MACS = (
    "MACs are the multiply-accumulates of convolutions, linear layers and the two products of an "
    "attention for one image: one multiplication and one addition count as one, and weights that "
    "are zero count too."
)


def find(report: Report) -> Results:
    """Every study has networks before retraining."""
    return report.results


def text(results: Results) -> str:
    """The table, and how its columns are computed."""
    changed = _recalibration_changes(results)
    header = ["Network", "Test, %"] + ["Recalibrated, %"] * changed
    header += ["Parameters", "kept, %", "MACs", "kept, %", "File, kB", "n"]
    dense = results.dense
    rows = [["dense", mean_sd(dense_test(dense)), *["–"] * changed, *_size(dense, dense, 100.0)]]
    for method, pruned in results.pruned.items():
        rounds = max(arm.rounds for arm in results.of(method))
        rows.append(
            [
                f"pruned by {code(method)}" + (f", round 1 of {rounds}" if rounds > 1 else ""),
                mean_sd(pruned_test(pruned)),
                *[mean_sd(recalibrated_test(pruned))] * changed,
                *_size(pruned, dense, parameters_kept(pruned, pruned, dense)),
            ]
        )
    return f"{markdown(header, rows)}\n\n{' '.join(_notes(results))}"


def table(results: Results) -> pd.DataFrame:
    """The dense and the pruned network of every method, before any retraining."""
    dense = results.dense
    return pd.DataFrame(
        [
            {
                "method": pruned.method,
                "granularity": pruned.granularity,
                "network": name,
                "replicates": len(scores),
                **mean_columns("test_top1_percent", scores),
                "parameters": network.parameters,
                "nonzero_parameters": network.nonzero,
                "macs_per_image": round(network.macs),
                "file_bytes": network.file_bytes,
                "parameters_kept_percent": parameters_kept(network, pruned, dense),
                "macs_kept_percent": macs_kept(network, dense),
            }
            for pruned in results.pruned.values()
            for name, network, scores in _networks(results, pruned)
        ]
    )


def _recalibration_changes(results: Results) -> bool:
    """Whether it changed a replicate of some method: it does nothing without BatchNorm."""
    return any(
        not recalibrated_test(pruned).equals(pruned_test(pruned))
        for pruned in results.pruned.values()
    )


def _networks(
    results: Results, pruned: PrunedResult
) -> Iterator[tuple[str, Network, "pd.Series[float]"]]:
    yield "dense", results.dense, dense_test(results.dense)
    yield "pruned", pruned, pruned_test(pruned)
    yield "recalibrated", pruned, recalibrated_test(pruned)


def _size(network: DenseResult | PrunedResult, dense: DenseResult, kept: float) -> list[str]:
    return [
        f"{network.parameters:,}",
        f"{kept:.1f}",
        f"{network.macs / 1e6:,.1f} M",
        f"{macs_kept(network, dense):.1f}",
        "–" if network.file_bytes is None else f"{network.file_bytes / 1000:,.1f}",
        str(len(network.replicates)),
    ]


def _notes(results: Results) -> Iterator[str]:
    if _recalibration_changes(results):
        yield (
            "Recalibrated: the pruned network with BatchNorm statistics re-estimated from the "
            "training images."
        )
    yield MACS
    if any(pruned.granularity == "weight" for pruned in results.pruned.values()):
        yield "Weights that a mask holds at zero are not among the parameters kept."
    if any(arm.rounds > 1 for arm in results.arms.values()):
        yield (
            "A method that prunes in rounds is shown after its first: all arms share the masks of "
            "that round alone, since later ones depend on the retraining before them."
        )


SECTION = Section("networks", "Before retraining", find, text, table)
