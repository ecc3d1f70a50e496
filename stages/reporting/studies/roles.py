"""Which line of a kept study plays which role, by its settings, not by its name."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from stages.reporting.studies.kept import Kept

ONECYCLE, FINETUNE, TUNED = "onecycle", "finetune", "tuned"
LR_REWIND, SCALED = "lr_rewind", "scaled"
NAMES: Mapping[str, str] = {
    ONECYCLE: "one-cycle",
    FINETUNE: "fine-tuning",
    TUNED: "a tuned constant rate",
    LR_REWIND: "learning-rate rewinding",
    SCALED: "the scaled schedule",
}
"""The roles, as sentences call them."""


def by_role(study: Kept) -> pd.DataFrame:
    """Return `study.scores` with roles for columns; none for a role that no line plays."""
    return study.scores.rename(columns={line: role for role, line in roles(study).items()})[
        [*roles(study)]
    ]


def roles(study: Kept) -> dict[str, str]:
    """Return the line that plays each role, where there is one.

    All start from the dense network's last weights and train as the dense run did, but for the
    rates. onecycle: that curve, its peak the dense run's (Le & Hua 2021). finetune: the smallest
    constant rate below that peak (Han 2015); tuned: of the larger ones the best, by its mean over
    all methods and budgets. lr_rewind: replays the dense run's last rates (Renda 2020). scaled:
    squeezes them (Le & Hua 2021).
    """
    entries = _entries(study)
    peak = study.rates.max
    rates = {
        line: study.rates.resolve(entry.get("lr", "last"))
        for line, entry in entries.items()
        if entry["curve"] == "constant"
    }
    slow = sorted((line for line in rates if rates[line] < peak), key=lambda line: rates[line])
    larger = [line for line in slow if rates[line] > rates[slow[0]]]
    means = study.scores.mean()
    found = {
        ONECYCLE: _first(entries, lambda e: e["curve"] == ONECYCLE and _at_peak(study, e)),
        FINETUNE: next(iter(slow), None),
        TUNED: max(larger, key=lambda line: means[line], default=None),
        LR_REWIND: _first(entries, lambda e: e["curve"] == "replay"),
        SCALED: _first(entries, lambda e: e["curve"] == SCALED),
    }
    return {role: line for role, line in found.items() if line is not None}


def _entries(study: Kept) -> dict[str, Mapping[str, Any]]:
    """Return the settings of each line that may play a role: of its first schedule."""
    first: dict[str, Mapping[str, Any]] = {}
    for name, entry in study.schedules.items():
        if entry.get("start", "final") == "final" and name in study.plain:
            first.setdefault(study.line_of[name], entry)
    return {line: entry for line, entry in first.items() if line in study.scores}


def _first(
    entries: Mapping[str, Mapping[str, Any]], plays: Callable[[Mapping[str, Any]], bool]
) -> str | None:
    return next((line for line, entry in entries.items() if plays(entry)), None)


def _at_peak(study: Kept, entry: Mapping[str, Any]) -> bool:
    return study.rates.resolve(entry.get("max_lr", "max")) == study.rates.max
