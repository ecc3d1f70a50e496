"""Calibration: whether a network knows what it does not know, as a reliability diagram."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.plots import grid, label, legend, legend_height, styles
from stages.reporting.recommendation import recommend
from stages.reporting.report import Report, Section
from stages.reporting.style import DENSE, EDGE, RULES, Look
from stages.reporting.tables import markdown
from stages.reporting.words import code, listed
from stages.results.records import ArmResult, Retrained, Untrained

DENSE_NETWORK = "dense"
FEWEST = 10
"""Images below which a bin is noise, and not drawn."""


@dataclass(frozen=True)
class Reliability:
    """The test images of a network by confidence, over all its replicates, each array [bins].

    `images` are counts; `confidence` and `accuracy` means in percent, NaN in an empty bin.
    """

    method: str
    network: str
    images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error of all replicates together, in points."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float((self.images * gaps).sum() / self.images.sum())

    def mean(self, values: np.ndarray) -> float:
        """Return the mean over images of a value by bin."""
        return float((self.images * np.nan_to_num(values)).sum() / self.images.sum())


@dataclass(frozen=True)
class Calibration:
    """Every network, and those to be drawn by method: dense, the baseline arm, the best arm."""

    every: Sequence[Reliability]
    drawn: dict[str, list[Reliability]]
    looks: dict[str, Look]


def find(report: Report) -> Calibration | None:
    """Collect the bins; None where the records have none."""
    results = report.results
    dense = _reliability("", DENSE_NETWORK, results.dense.replicates)
    if dense is None:
        return None
    arms = {key: _of_arm(arm) for key, arm in results.arms.items()}
    drawn = {
        method: [
            dense,
            *(found for name in _names(report, method) if (found := arms[method, name])),
        ]
        for method in results.methods
    }
    shown = {each.network for group in drawn.values() for each in group}
    looks = {name: look for name, look in styles(report).items() if name in shown}
    return Calibration([dense, *(each for each in arms.values() if each)], drawn, looks)


def text(found: Calibration) -> str:
    """The caption, and a table of the networks that are drawn."""
    names = listed(["the dense network", *(code(name) for name in found.looks)])
    caption = (
        "Test images by confidence, in 15 bins of equal width, all replicates together; the area "
        "of a dot is the part of the images in its bin. Above the diagonal a network is right more "
        "often than its confidence says, below it less often. Drawn are "
        f"{names}: of each method the baseline arm and the recommended one. Bins of fewer than "
        f"{FEWEST} images are not drawn. The error is the expected calibration error over the bins."
    )
    dense = next(iter(found.drawn.values()))[0]
    rows = [["dense", *_numbers(dense)]]
    for method, group in found.drawn.items():
        rows += [[f"{code(method)} + {code(each.network)}", *_numbers(each)] for each in group[1:]]
    header = ["Network", "Right, %", "Mean confidence, %", "Calibration error, points"]
    return f"{caption}\n\n{markdown(header, rows)}"


def table(found: Calibration) -> pd.DataFrame:
    """One row per network; its bins are in its record."""
    return pd.DataFrame(
        [
            {
                "method": each.method,
                "network": each.network,
                "images": int(each.images.sum()),
                "right_percent": each.mean(each.accuracy),
                "mean_confidence_percent": each.mean(each.confidence),
                "calibration_error_points": each.error,
            }
            for each in found.every
        ]
    )


def figure(found: Calibration) -> Figure:
    """Draw the reliability diagrams, a panel per method (Guo 2017, fig. 1)."""
    with rc_context(RULES):
        head = legend_height(list(found.looks))
        chart, panels = grid(len(found.drawn), 2, 2.3, head, sharex=True, sharey=True)
        for panel, (method, group) in zip(panels, found.drawn.items(), strict=True):
            panel.set_title(method)
            panel.plot([0, 100], [0, 100], color=EDGE, linewidth=0.8)
            for each in group:
                _draw(panel, each, found.looks.get(each.network))
        label(chart, "confidence, %", "right, %")
        legend(chart, found.looks)
    return chart


def _names(report: Report, method: str) -> list[str]:
    best = recommend(report, method)
    names = [report.settings.baseline, *([best.best.schedule] if best else [])]
    return list(dict.fromkeys(names))


def _of_arm(arm: ArmResult) -> Reliability | None:
    return None if arm.diverged else _reliability(arm.method, arm.schedule, arm.replicates)


def _reliability(
    method: str, network: str, replicates: Sequence[Untrained | Retrained]
) -> Reliability | None:
    bins = [run.bins for run in replicates if run.bins]
    if len(bins) < len(replicates):
        return None
    images = np.sum([each.images for each in bins], axis=0)
    sums = (np.sum([getattr(b, n) for b in bins], axis=0) for n in ("confidence", "correct"))
    full = np.where(images, images, np.nan)
    return Reliability(method, network, images, *(100 * total / full for total in sums))


def _numbers(each: Reliability) -> list[str]:
    return [
        f"{each.mean(each.accuracy):.2f}",
        f"{each.mean(each.confidence):.2f}",
        f"{each.error:.2f}",
    ]


def _draw(panel: Axes, each: Reliability, look: Look | None) -> None:
    style = {"color": look.color, "linestyle": look.dash} if look else DENSE
    there = each.images >= FEWEST
    x, y = each.confidence[there], each.accuracy[there]
    panel.plot(x, y, **style | {"linewidth": 1.0})
    share = each.images[there] / each.images.sum()
    panel.scatter(x, y, s=6 + 80 * share, color=style["color"], linewidths=0)


SECTION = Section(
    "calibration", "Does the network know what it does not know?", find, text, table, figure
)
