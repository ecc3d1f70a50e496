import numpy as np
import pytest

from stages.reporting.peaks import peak_studies, peaks_around
from stages.reporting.recommendation import recommend
from stages.reporting.sections.peaks import figure, find, laws, table, text
from stages.reporting.sentences import sentences
from tests.reporting.helpers import change, diverge, report_of
from tests.results.study import METHODS as GAINS
from tests.results.study import SCHEDULES

METHODS = {"l1_50": 400_000, "l1_75": 200_000, "l1_90": 100_000}
PRUNING = {
    name: {
        "granularity": "filter",
        "criterion": "l1",
        "allocation": {"kind": "uniform", "ratio": int(name[3:]) / 100},
    }
    for name in METHODS
}
RATES = {"low": 0.025, "small": 0.05, "middle": 0.1, "large": 0.2, "huge": 0.4}
EPOCHS = (16, 32)
ENTRIES = {
    f"{name}_{epochs}": {"curve": "onecycle", "max_lr": rate, "epochs": epochs}
    for epochs in EPOCHS
    for name, rate in RATES.items()
}
SEEDS = 6


@pytest.fixture
def study(make_study, monkeypatch):
    """Return a function that writes a study whose best peak is at a * kept^kept * (T/E)^budget."""

    def build(constant=0.0, kept=0.5, budget=0.0, noise=0.0, methods=METHODS, entries=ENTRIES):
        for name in entries:
            monkeypatch.setitem(SCHEDULES, name, SCHEDULES["onecycle"])
        for name in methods:
            monkeypatch.setitem(GAINS, name, 0.0)
        folder = make_study(list(methods), list(entries), seeds=SEEDS)
        chance = np.random.default_rng(0)
        for method, parameters in methods.items():
            for name, entry in entries.items():
                share = np.log2(parameters / 853_018) * kept
                best = constant + share + np.log2(entry["epochs"] / 160) * budget
                peak = np.log2(entry.get("max_lr", 0.1) / 0.1)
                accuracy = 0.9 - 0.005 * (peak - best) ** 2 + noise * chance.standard_normal(SEEDS)
                size = {"parameters": parameters, "nonzero": parameters}
                change(folder, method, name, accuracy.tolist(), epochs=entry["epochs"], **size)
            size_of(folder, method, parameters)
        return folder

    return build


def size_of(folder, method, parameters):
    path = folder / "pruned" / f"{method}.json"
    text = path.read_text().replace("735712", str(parameters))
    path.write_text(text)


def reported(folder, methods=METHODS, entries=ENTRIES, dense_peak=0.1, pruning=PRUNING):
    names = list(methods), list(entries)
    return report_of(folder, *names, entries, dense_peak=dense_peak, pruning=pruning)


def test_a_law_of_the_best_peak_is_found_and_said(study):
    """Peaks are at 2 * (kept share)^0.5: 0.95, 0.67 and 0.47 times 1.41."""
    found = find(reported(study(constant=0.5)))
    (one,) = found.studies
    assert one.name == "onecycle"
    assert len(one.cells) == 6
    assert one.law.kept.mean == pytest.approx(0.5, abs=1e-6)
    assert one.law.budget.mean == pytest.approx(0, abs=1e-6)
    said = text(found)
    assert (
        "`onecycle`: With compression the best peak falls: each halving of the parameters "
        "multiplies it by 0.71 [0.71, 0.71] (as ICE-Pruning has it; ModelOpt advises to raise it). "
        "With the budget it stays where it is: each doubling of the epochs multiplies it by "
        "1.00 [1.00, 1.00]. In brackets are intervals of 95 % confidence."
    ) in said
    best = 2**0.5 * (400_000 / 853_018) ** 0.5
    assert (
        "| `l1_50` | 46.9 % | 16 (0.1 E) | 1 | 90.00 ± 0.00 | "
        f"{best:.2g} [{best:.2g}, {best:.2g}] | 1 |"
    ) in said


def test_where_the_noise_hides_it_the_law_is_open(study):
    said = text(find(reported(study(kept=0.0, noise=0.03))))
    assert "With compression the best peak may rise or fall" in said
    assert "ModelOpt advises to raise it, ICE-Pruning lowers it" in said


def test_a_best_peak_at_an_end_is_said_to_be_one(study):
    found = find(reported(study(constant=4, kept=0.0)))
    assert "In 6 of 6 cells it or its band reaches an end of what was tried" in text(found)
    assert "multiplies it by 1.00 [0.00, ∞]" in text(found)
    assert "| ≥ 4 [2.8, ≥ 4] | 4 |" in text(found)
    rows = table(found)
    assert rows["at_largest_tried"].all()
    assert not rows["at_smallest_tried"].any()


def test_tables_hold_what_the_page_says(study):
    found = find(reported(study(constant=0.5)))
    rows, slopes = table(found), laws(found)
    assert rows["peak_shares_tried"].unique().tolist() == ["0.25 0.5 1 2 4"]
    assert rows["best_peak_share"].iloc[-1] == pytest.approx((2e5 / 853_018) ** 0.5)
    assert rows["budget_share_of_dense_epochs"].tolist() == [0.1, 0.2] * 3
    assert slopes["factor"].tolist() == ["parameters kept", "epochs"]
    assert slopes["best_peak"].tolist() == ["rises", "same"]
    assert slopes["slope"].tolist() == pytest.approx([0.5, 0], abs=1e-6)


def test_a_peak_that_diverged_takes_no_part_and_bounds_the_best(study):
    folder = study(constant=1, kept=0.0)
    for method in METHODS:
        for epochs in EPOCHS:
            diverge(folder, method, f"huge_{epochs}", [0])
    found = find(reported(folder))
    assert "Peaks that diverged take no part: `l1_50` for 16 epochs (4), " in text(found)
    assert "| ≥ 2 [1.4, < 4] |" in text(found)
    assert table(found)["at_largest_tried"].all()
    assert table(found)["best_peak_share_high"].tolist() == [4] * 6


def test_the_figure_has_a_panel_for_every_size_and_a_star_for_every_cell(study):
    panels = figure(find(reported(study()))).axes
    assert [panel.get_title(loc="left") for panel in panels] == [
        "l1_50, 46.9 %",
        "l1_75, 23.4 %",
        "l1_90, 11.7 %",
    ]
    for panel in panels:
        assert sum(line.get_marker() == "*" for line in panel.lines) == 2


ONE_SIZE = {"l1_50": 400_000, "l1_75": 399_000}
ONE_BUDGET = {name: entry for name, entry in ENTRIES.items() if entry["epochs"] == 16}
TWO_PEAKS = {name: ENTRIES[name] for name in ("low_16", "small_16", "low_32", "small_32")}


@pytest.mark.parametrize(
    ("methods", "entries", "slopes"),
    [
        (METHODS, ENTRIES, ["parameters kept", "epochs"]),
        (METHODS, ONE_BUDGET, ["parameters kept"]),
        (ONE_SIZE, ENTRIES, ["epochs"]),
        (ONE_SIZE, ONE_BUDGET, None),
        (METHODS, TWO_PEAKS, None),
    ],
)
def test_what_covers_the_question(study, methods, entries, slopes):
    """Three peaks at two sizes or budgets; sizes that hardly differ are one."""
    found = find(reported(study(methods=methods, entries=entries), methods, entries))
    assert (found and laws(found)["factor"].tolist()) == slopes


def test_without_the_dense_runs_rate_there_are_no_shares(study):
    assert find(reported(study(), dense_peak=None)) is None


def test_other_keys_make_another_study(study):
    entries = {
        name: entry | ({"label_smoothing": 0.1} if entry["epochs"] == 32 else {})
        for name, entry in ENTRIES.items()
    }
    names = [each.name for each in peak_studies(reported(study(entries=entries), entries=entries))]
    assert names == ["onecycle", "onecycle of low_32"]


OTHERS = {
    "criterion": "taylor",
    "granularity": "weight",
    "scope": "all",
    "allocation": {"kind": "global", "ratio": 0.9},
}


@pytest.mark.parametrize(("key", "value"), OTHERS.items(), ids=OTHERS)
def test_another_way_of_pruning_makes_another_study(study, key, value):
    """Sizes are compared within one way of pruning; alone at one size, budgets are."""
    pruning = {**PRUNING, "l1_90": {**PRUNING["l1_90"], key: value}}
    found = find(reported(study(), pruning=pruning))
    rows = laws(found)
    assert rows["curve"].tolist() == ["onecycle after l1_50"] * 2 + ["onecycle after l1_90"]
    assert rows["factor"].tolist() == ["parameters kept", "epochs", "epochs"]
    assert rows["octaves_spanned"].iloc[0] == pytest.approx(1)
    assert len(figure(found).axes) == 3


def test_a_target_is_how_much_is_pruned(study):
    pruning = {
        name: {**PRUNING[name], "allocation": {"kind": "target", "parameters": parameters}}
        for name, parameters in METHODS.items()
    }
    assert len(peak_studies(reported(study(), pruning=pruning))) == 1


def test_the_dense_runs_largest_rate_may_have_its_name(study):
    entries = {name: dict(entry) for name, entry in ENTRIES.items()}
    for epochs in EPOCHS:
        entries[f"middle_{epochs}"]["max_lr"] = "max"
    entries["middle_16"].pop("max_lr")
    folder = study()
    (one,) = peak_studies(reported(folder, entries=entries))
    assert one.cells[0].cell.peaks == pytest.approx([0.25, 0.5, 1, 2, 4], rel=1e-3)


def test_arms_that_train_alike_are_one_peak(study):
    """Recorded steps of {curve: onecycle} miss its top, 0.1, which another arm names."""
    twins = {
        f"twin_{epochs}": {"curve": "onecycle", "epochs": epochs} for epochs in (16, 32)
    } | ENTRIES
    found, alone = (
        find(reported(study(constant=1, entries=entries), entries=entries))
        for entries in (twins, ENTRIES)
    )
    for (_, cell), (_, other) in zip(found.cells, alone.cells, strict=True):
        assert len(cell.arms) == 5
        assert cell.best.value == pytest.approx(other.best.value, rel=1e-3)
        assert cell.best.low == pytest.approx(other.best.low, rel=1e-3)


def test_a_recommendation_names_the_best_peak_of_its_size_and_budget(study):
    report = reported(study(constant=0.5))
    found = recommend(report, "l1_50", epochs=16)
    assert peaks_around(report, found.best).epochs == 16
    assert (
        "The best peak of its curve, for this size and budget, is 0.97 [0.97, 0.97] of the dense "
        "run's largest learning rate, 0.097 [0.097, 0.097]."
    ) in sentences(report, found)


def test_a_study_of_one_peak_says_nothing_of_the_best(make_study):
    report = report_of(
        make_study(["l1"], ["finetune", "onecycle"]), ["l1"], ["finetune", "onecycle"]
    )
    assert not any("peak" in said for said in sentences(report, recommend(report, "l1")))
