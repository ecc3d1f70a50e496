from functools import partial

import pytest
import yaml

from stages.reporting.page import write_tables
from stages.reporting.studies.kept import read_kept
from tests.reporting.helpers import change, report_of
from tests.results.study import write_study

DENSE = {
    "seed": 0,
    "data": {"source": "digits"},
    "model": {"code": "stages/models/resnet.py", "factory": "resnet8"},
    "train": {
        "epochs": 160,
        "lr": 0.1,
        "schedule": {"curve": "step", "milestones": [80, 120], "factor": 0.1},
        "checkpoint_every": 80,
        "recipe": {
            "batch_size": 64,
            "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 1.0e-4},
            "loss": {"kind": "cross_entropy"},
            "augment": {},
        },
    },
}
ENTRY = {"granularity": "filter", "allocation": {"kind": "uniform", "ratio": 0.5}}
ROLES = {
    "onecycle": {"curve": "onecycle"},
    "finetune": {"curve": "constant", "lr": "last"},
    "tuned": {"curve": "constant", "lr": 0.01},
    "lr_rewind": {"curve": "replay"},
    "scaled": {"curve": "scaled"},
}
"""Entries that play the roles of their names, where the dense run has the rates of DENSE."""
ENTRIES = ROLES | {
    "weight_rewind": {"start": "rewound", "curve": "replay"},
    "onecycle_low_peak": {"curve": "onecycle", "max_lr": 0.05},
}
"""What invented schedules are by default."""


def other(width=8):
    """The settings of other dense networks."""
    return {"model": DENSE["model"] | {"options": {"width": width}}}


def kept_study(root, name, arms, epochs=None, entries=None, diverging=lambda folder: None, **dense):
    """Keep an invented study below a folder and return where.

    `arms` are test accuracies by (method, schedule); `entries` the schedules' settings.
    """
    methods, schedules = (list(dict.fromkeys(key[side] for key in arms)) for side in (0, 1))
    seeds = len(next(iter(arms.values())))
    reports = write_study(root / f"reports_{name}", methods, schedules, seeds)
    for (method, schedule), values in arms.items():
        own = {"epochs": epochs[schedule]} if epochs else {}
        change(reports, method, schedule, values, values, **own)
    diverging(reports)
    entries = entries or {name: ENTRIES.get(name, {"curve": name}) for name in schedules}
    report = report_of(reports, methods, schedules, entries)
    folder = root / "studies" / name
    write_tables(folder / "tables", report)
    settings = DENSE | dense | {"retrain": {"schedules": entries}}
    entries_of = {method: ENTRY | {"criterion": method} for method in methods}
    settings["prune"] = {"methods": entries_of, "iterative": {}}
    settings["compare"] = report.settings.model_dump(mode="json")
    text = yaml.safe_dump(settings, sort_keys=False)
    (folder / "params.yaml").write_text(f"# What `{name}` is.\n# What it asks.\n{text}")
    return folder


@pytest.fixture(scope="session")
def keep_once(tmp_path_factory):
    """Return `kept_study` for studies that several tests copy."""
    return partial(kept_study, tmp_path_factory.mktemp("kept"))


@pytest.fixture
def keep_study(tmp_path):
    """Return a function that keeps an invented study, as `kept_study`."""
    return partial(kept_study, tmp_path)


@pytest.fixture
def read_study(keep_study):
    """Return a function that keeps an invented study and reads it back."""

    def read(name, *args, **options):
        folder = keep_study(name, *args, **options)
        return read_kept(folder / "tables", folder / "params.yaml", name, f"{name}/README.md")

    return read
