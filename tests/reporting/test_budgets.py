import pytest

from stages.reporting.sections.budgets import table, text
from tests.reporting.helpers import change, report_of

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
def report(make_study):
    folder = make_study(["l1"], list(ENTRIES))
    for name, (epochs, accuracies) in CELLS.items():
        change(folder, "l1", name, test=accuracies, epochs=epochs)
    return report_of(folder, ["l1"], list(ENTRIES), ENTRIES)


def test_schedules_stand_in_rows_and_budgets_in_columns(report):
    head, _, *rows = text(report).split("\n\n")[1].splitlines()
    assert head == "| `l1` | 40 epochs | 72 epochs |"
    assert len(rows) == 3
    assert rows[0].startswith("| `finetune` | −2.00 [−2.00, −2.00]<br>91.50 ± 0.10 | −1.00 [")
    assert rows[1].startswith("| `onecycle` | **−1.00 [−1.00, −1.00]**<br>92.50 ± 0.10 | **0.00 [")
    assert rows[2].startswith("| `cosine` | – | −3.00 [")


def test_every_cell_is_a_row(report):
    rows = table(report)
    assert list(zip(rows["line"], rows["epochs"], strict=True)) == [
        ("finetune", 40),
        ("finetune", 72),
        ("onecycle", 40),
        ("onecycle", 72),
        ("cosine", 72),
    ]
    assert rows["difference_to_dense_points_mean"].tolist() == pytest.approx([-2, -1, -1, 0, -3])
