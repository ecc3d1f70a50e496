import numpy as np
import pytest

from stages.reporting.design import Design
from stages.reporting.effects import sentence, summary
from stages.reporting.factorials import Factorial, Judged
from stages.reporting.measures import last_test
from stages.reporting.sections import answer
from stages.reporting.sections.factorial import figure, find, table, text
from stages.reporting.settings import Compare
from stages.reporting.tables import with_interval
from stages.statistics.estimates import estimate, paired
from stages.statistics.factorial import Contrast
from stages.statistics.verdicts import Levels, verdict
from tests.reporting.helpers import change, diverge, report_of

ARMS = ["finetune", "onecycle", "linear", "tuned"]
ENTRIES = {
    "finetune": {"curve": "constant", "lr": 0.1},
    "onecycle": {"curve": "onecycle"},
    "linear": {"curve": "constant", "lr": 0.1, "teacher": {"weight": 0.9}},
    "tuned": {"curve": "onecycle", "teacher": {"weight": 0.9}},
}
CELLS = [90.0, 94.0, 93.0, 95.0]
"""By hand: curve (4 + 2) / 2 = 3, teacher (3 + 1) / 2 = 2, interaction (2 - 4) / 2 = -1, and the
curve instead of the teacher 94 - 93 = 1."""


def studied(make_study, methods=("l1",), spread=0.1, seeds=8, **settings):
    folder = make_study(list(methods), ARMS, seeds)
    shift, rng = np.linspace(-1, 1, seeds), np.random.default_rng(0)
    for method in methods:
        for name, mean in zip(ARMS, CELLS, strict=True):
            own = rng.normal(0, spread, seeds)
            change(folder, method, name, test=((mean + shift + own - own.mean()) / 100).tolist())
    settings = {"factorial": ARMS, **settings}
    return folder, lambda: report_of(folder, list(methods), ARMS, ENTRIES, **settings)


def test_no_factorial_has_no_section(make_study):
    _, report = studied(make_study, factorial=())
    assert find(report()) is None


def test_effects_interaction_and_exchange_by_hand(make_study):
    _, report = studied(make_study)
    (found,) = find(report())
    means = {
        (tuple(e.keys), e.contrast.exchange): e.contrast.difference.mean for e in found.contrasts
    }
    assert means == pytest.approx(
        {
            (("curve",), False): 3,
            (("teacher",), False): 2,
            (("curve", "teacher"), False): -1,
            (("curve", "teacher"), True): 1,
        }
    )
    assert [each.contrast.confidence for each in found.contrasts] == pytest.approx([0.9875] * 4)


def test_a_method_after_which_the_arms_are_no_full_cross_is_left_out(make_study):
    """2 epochs and 4 in all are one budget in two rounds, and two after l1."""
    names, means = ARMS, [0.90, 0.94, 0.93, 0.95]
    curves = [{"curve": "constant", "lr": 0.1}, {"curve": "onecycle"}] * 2
    budgets = [2, 2, {"total": 4}, {"total": 4}]
    entries = {n: c | {"epochs": e} for n, c, e in zip(names, curves, budgets, strict=True)}
    folder = make_study(["random", "l1"], names, 3)
    for method, total in (("random", 2), ("l1", 4)):
        for name, mean, epochs in zip(names, means, [2, 2, total, total], strict=True):
            scores = [mean, mean + 0.01, mean - 0.02]
            change(folder, method, name, test=scores, epochs=epochs)
    found = find(report_of(folder, ["random", "l1"], names, entries, factorial=names))
    assert [each.method for each in found] == ["l1"]
    assert found[0].design.factors == ["curve", "epochs"]
    assert "After `random` the arms are no full cross" in text(found)
    assert find(report_of(folder, ["random"], names, entries, factorial=names)) is None


def test_the_order_of_the_arms_is_that_of_the_study_file(make_study):
    """The first has the low levels: from one-cycle with a teacher, both keys lose."""
    _, report = studied(make_study, factorial=["tuned", "linear", "finetune", "onecycle"])
    (found,) = find(report())
    means = [round(each.contrast.difference.mean, 6) for each in found.contrasts]
    assert means == [-3, -2, -1, -1]


def test_the_section_says_what_matters_and_what_does_not_add_up(make_study):
    _, report = studied(make_study)
    (found,) = find(report())
    words = sentence(found)
    assert words.startswith("**l1**. `curve` +3.00 [")
    assert "] and `teacher` +2.00 [" in words
    assert "] matter. `curve` × `teacher` −1.00 [" in words
    # with two keys, what one changes at a level of the other is the difference of two arms
    arms = [last_test(report().results.arms["l1", name]) for name in ARMS]
    low, high = (paired(arms[i + 1], arms[i], 0.9875) for i in (0, 2))
    assert (
        f"these do not add up, as `curve` changes {with_interval(low)} where `teacher` is low and "
        f"{with_interval(high)} where it is high."
    ) in words
    assert "`curve` does more than `teacher` (+1.00 [" in words


def test_the_page_has_the_levels_and_every_contrast(make_study):
    _, report = studied(make_study)
    page = text(find(report()))
    assert "| `curve` | `constant (lr: 0.1)` | `onecycle` |" in page
    assert "| `teacher` | `default` | `{weight: 0.9}` |" in page
    assert page.count(" | above 0 |") == 3
    assert page.count(" | below 0 |") == 1
    assert "The 4 intervals have 98.75 % confidence each, so that they hold 95 % together" in page


def test_the_table_has_every_contrast_of_every_method(make_study):
    _, report = studied(make_study, methods=("l1", "random"))
    rows = table(find(report()))
    assert rows["method"].tolist() == ["l1"] * 4 + ["random"] * 4
    assert rows["contrast"].tolist() == ["effect", "effect", "effect", "exchange"] * 2
    assert rows["keys"].tolist()[:4] == ["curve", "teacher", "curve teacher", "curve teacher"]
    assert rows["verdict"].tolist()[:4] == ["better", "better", "worse", "better"]


def test_the_figure_has_a_row_per_contrast_and_a_dot_per_replicate(make_study):
    _, report = studied(make_study)
    (panel,) = figure(found := find(report())).axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["curve", "teacher", "curve × teacher", "curve instead of teacher"]
    dots = found[0].contrasts[0].contrast.by_seed.tolist()
    assert any(list(line.get_xdata()) == dots for line in panel.get_lines())


def invented(*values, margin=0.5):
    """Return a factorial of two keys with these values by seed of its four contrasts."""
    wanted = [(0,), (1,), (0, 1), (0, 1)]
    found = []
    for number, (factors, by_seed) in enumerate(zip(wanted, values, strict=True)):
        value = estimate(by_seed, 0.95)
        contrast = Contrast(factors, number == 3, np.array(by_seed), value, 0.95)
        said = verdict(value, margin, Levels())
        found.append(Judged([("curve", "teacher")[at] for at in factors], contrast, said))
    settings = Compare(baseline="a", informed="l1", random="l1", margin=margin)
    values = [("constant", "onecycle"), ("default", "{}")]
    return Factorial("l1", Design(["curve", "teacher"], {}), values, found, settings, [])


CLEAR, SMALL, WIDE = [2.0, 2.1, 1.9, 2.0], [0.1, -0.1, 0.1, -0.1], [1.0, -1.0, 2.0, -1.0]
LESS = [-value for value in CLEAR]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((CLEAR, SMALL, SMALL, CLEAR), "[+1.87, +2.13] matters; `teacher` changes less than 0.5"),
        ((CLEAR, SMALL, SMALL, CLEAR), "points. `curve` × `teacher` adds up to within 0.5 points."),
        ((SMALL, SMALL, SMALL, SMALL), "`curve` and `teacher` change less than 0.5 points. "),
        ((SMALL, SMALL, SMALL, SMALL), ". `curve` and `teacher` do as much to within 0.5 points."),
        ((CLEAR, WIDE, WIDE, WIDE), "matters; `teacher` +0.25 [−2.14, +2.64] is open. `curve` × "),
        ((WIDE, WIDE, WIDE, WIDE), " Which does more is open: `curve` or `teacher` (+0.25"),
        ((SMALL, CLEAR, SMALL, LESS), "`curve` does less than `teacher` (−2.00 [−2.13, −1.87])."),
    ],
)
def test_decided_same_and_open_are_told_apart(values, told):
    assert told in sentence(invented(*values))


def test_the_answer_has_what_is_decided(make_study):
    _, report = studied(make_study)
    (found,) = find(report())
    brief = summary(found)
    assert brief.startswith("**`curve` and `teacher`** on `l1`, each with and without the others: ")
    assert "instead" not in brief
    assert brief.split(": ", 1)[1] in sentence(found)
    assert f"- {brief}" in answer.text(answer.find(report()))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((WIDE, WIDE, WIDE, CLEAR), "others: no effect is decided."),
        ((WIDE, SMALL, SMALL, WIDE), "others: no effect is decided."),
        ((CLEAR, WIDE, SMALL, WIDE), "others: `curve` +2.00 [+1.87, +2.13] matters."),
    ],
)
def test_the_answer_leaves_out_what_is_open(values, told):
    assert summary(invented(*values)).endswith(told)


def test_an_arm_that_diverged_leaves_no_effect(make_study):
    folder, report = studied(make_study)
    diverge(folder, "l1", "linear", [1])
    found = find(report())
    assert sentence(found[0]) == "**l1**: `linear` diverged, so no effect is known."
    assert "open" in text(found)
    assert table(found)["verdict"].tolist() == ["undecided"] * 4
    assert len(figure(found).axes) == 1


def test_one_replicate_says_nothing(make_study):
    _, report = studied(make_study, seeds=1)
    found = find(report())
    assert sentence(found[0]) == "**l1**: one replicate, which says nothing about effects."
    assert "| `curve` | +3.00 | – | 1 | open |" in text(found)


def test_a_study_that_grows_is_judged_at_its_look(make_study):
    _, report = studied(make_study, looks=[8, 16])
    (found,) = find(report())
    each = found.contrasts[0].contrast.confidence
    assert each == pytest.approx(1 - report().look.levels.difference / 4)
    assert each > 0.9875
