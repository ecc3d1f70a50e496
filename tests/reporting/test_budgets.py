import json

import pytest

from stages.params.compare import Compare
from stages.reporting.budgets import budgets_table, section
from stages.reporting.findings import find
from stages.reporting.results import read_study

ENTRIES = {
    "finetune": {"curve": "a", "epochs": 40},
    "scaled": {"curve": "a", "epochs": 72},
    "onecycle": {"curve": "b", "epochs": 40},
    "linear": {"curve": "b", "epochs": 72},
    "cosine": {"curve": "c", "epochs": 72},
}
# dense replicates are 93.4, 93.5, 93.6
CELLS = {
    "finetune": (40, [0.914, 0.915, 0.916]),
    "scaled": (72, [0.924, 0.925, 0.926]),
    "onecycle": (40, [0.924, 0.925, 0.926]),
    "linear": (72, [0.934, 0.936, 0.935]),
    "cosine": (72, [0.904, 0.905, 0.906]),
}


@pytest.fixture
def found(make_study):
    folder = make_study(["l1"], list(ENTRIES))
    for name, (epochs, accuracies) in CELLS.items():
        path = folder / f"arms/l1/{name}.json"
        arm = json.loads(path.read_text()) | {"epochs": epochs}
        for run, accuracy in zip(arm["replicates"], accuracies, strict=True):
            run["last"]["test"]["accuracy"] = accuracy
        path.write_text(json.dumps(arm))
    settings = Compare(baseline="finetune", careful="l1", random="l1")
    return find(read_study(folder, ["l1"], list(ENTRIES)), settings, ENTRIES)


def test_schedules_stand_in_rows_and_budgets_in_columns(found):
    head, _, *rows = section(found).splitlines()[:5]
    assert head == "| `l1` | 40 epochs | 72 epochs |"
    assert rows[0].startswith("| `finetune` | −2.00 [−2.00, −2.00]<br>91.50 ± 0.10 | −1.00 [")
    assert rows[1].startswith("| `onecycle` | **−1.00 [−1.00, −1.00]**<br>92.50 ± 0.10 | **0.00 [")
    assert rows[2].startswith("| `cosine` | – | −3.00 [")


def test_every_cell_is_a_row(found):
    table = budgets_table(found.study, found.settings, found.lines)
    assert list(zip(table["line"], table["epochs"], strict=True)) == [
        ("finetune", 40),
        ("finetune", 72),
        ("onecycle", 40),
        ("onecycle", 72),
        ("cosine", 72),
    ]
    assert table["difference_to_dense_points_mean"].tolist() == pytest.approx([-2, -1, -1, 0, -3])
