import pytest
from scipy import stats

from stages.reporting.report import Report
from stages.reporting.sections.claims import ANCHOR, TITLE, find, summary, table, text
from stages.reporting.settings import Compare
from stages.reporting.words import AGREE
from stages.results.files import Results
from stages.results.records import (
    ArmResult,
    Best,
    DenseResult,
    History,
    Points,
    PrunedResult,
    Retrained,
    Selected,
    Splits,
    Untrained,
)
from stages.statistics.power import repeat
from stages.statistics.verdicts import Levels

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot be decided"
NOISE = (0.01, -0.02, 0.02, -0.01)
LARGE, SMALL = [0.001, 0.1, 0.001], [0.001, 0.001, 0.001]
# what the schedules of the tests do; their names play no part
KINDS = {
    "low": ("final", "constant", SMALL),
    "tail": ("final", "replay", [0.01, 0.01, 0.001]),
    "back": ("rewound", "replay", [0.01, 0.01, 0.001]),
    "steps": ("final", "scaled", LARGE),
    "cycle": ("final", "onecycle", LARGE),
    "new": ("fresh", "stretch", LARGE),
    "taught": ("final", "onecycle", LARGE),
    "high": ("final", "onecycle", LARGE),
    "flat_taught": ("final", "constant", LARGE),
}
OWN = {"taught": {"teacher": {}}, "flat_taught": {"teacher": {}}, "high": {"max_lr": 0.4}}
METHODS = ("l1", "random")
DENSE_EPOCHS = 100


def scores(percent):
    return {"accuracy": percent / 100, "nll": 1.0}


def arm(method, schedule, name, epochs, percent, noise):
    start, curve, lr = KINDS[name]
    return ArmResult(
        method=method,
        schedule=schedule,
        start=start,
        curve=curve,
        epochs=epochs,
        rounds=1,
        training_macs=50 * epochs,
        steps_per_epoch=1,
        environment={},
        points=Points(step=(0, 1, 2), lr=tuple(lr), momentum=(0.9,) * 3),
        parameters=50,
        nonzero=50,
        macs=50,
        replicates=tuple(
            Retrained(
                seed=seed,
                lr_scale=1.0,
                last=Splits(validation=None, test=scores(percent + extra)),
                selected=Selected(epoch=epochs, validation=None, test=scores(percent + extra)),
                test_best=Best(epoch=1, accuracy=1.0),
                history=History(
                    train_loss=(1.0,) * epochs,
                    validation_accuracy=None,
                    test_accuracy=(0.5,) * epochs,
                ),
            )
            for seed, extra in enumerate(noise)
        ),
    )


def untrained(percent, seeds):
    return tuple(Untrained(seed=s, validation=None, test=scores(percent)) for s in range(seeds))


def size(parameters):
    return {"parameters": parameters, "nonzero": parameters, "macs": parameters}


def pruned(method, kept, seeds):
    networks = untrained(10.0, seeds)
    return PrunedResult(
        **size(kept),
        method=method,
        granularity="filter",
        replicates=networks,
        recalibrated=networks,
    )


def claims(cells, kept=50, dense=90.0, noise=NOISE, scatter=1.0, random="random"):
    """Judge a study; `cells` are percent by (method, schedule, epochs) or (schedule, epochs).

    `scatter` widens the noise of every other arm, so that differences vary by seed.
    """
    whole = {(key if len(key) == 3 else ("l1", *key)): value for key, value in cells.items()}
    budgets = {name: {e for _, other, e in whole if other == name} for _, name, _ in whole}
    # two schedules of one name differ in epochs alone, so that they are one line of that name
    schedules = {
        (name, epochs): f"{name}_{epochs}" if len(budgets[name]) > 1 else name
        for _, name, epochs in whole
    }
    entries = {
        schedule: {"curve": name, "epochs": epochs, **OWN.get(name, {})}
        for (name, epochs), schedule in schedules.items()
    }
    arms = {}
    for number, ((method, name, epochs), percent) in enumerate(whole.items()):
        wide = [extra * (scatter if number % 2 else 1) for extra in noise]
        schedule = schedules[name, epochs]
        arms[method, schedule] = arm(method, schedule, name, epochs, percent, wide)
    methods = dict.fromkeys(method for method, _, _ in whole)
    seeds = len(noise)
    networks = DenseResult(
        **size(100),
        epochs=DENSE_EPOCHS,
        chance=0.1,
        environment={},
        replicates=untrained(dense, seeds),
    )
    results = Results(arms, {method: pruned(method, kept, seeds) for method in methods}, networks)
    first = next(iter(entries))
    settings = Compare(baseline=first, informed="l1", random=random if len(methods) > 1 else "l1")
    return find(Report(results, settings, entries))


def verdict(number, cells, **options):
    return claims(cells, **options).claims[number - 1].verdict


FOUR = {("low", 9): 90.0, ("tail", 9): 91.0, ("steps", 9): 91.0, ("cycle", 9): 92.0}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, HOLDS),
        ({("tail", 9): 89.0}, FAILS),
        ({("cycle", 9): 89.0}, FAILS),
        ({("back", 9): 91.2}, HOLDS),
        ({("back", 9): 92.0}, FAILS),
    ],
)
def test_claim_1_is_about_large_rates_and_not_about_rewinding(changes, expected):
    assert verdict(1, FOUR | changes) == expected


@pytest.mark.parametrize("missing", ["low", "tail"])
def test_claim_1_needs_its_arms(missing):
    cells = {key: value for key, value in FOUR.items() if key[0] != missing}
    found = claims(cells)
    assert found.claims[0].verdict == OPEN
    assert "it takes an arm" in text(found)


def test_claim_1_is_open_where_intervals_span_0():
    found = claims(FOUR, scatter=100)
    assert found.claims[0].verdict == OPEN
    page = text(found)
    assert "beats fine-tuning: **cannot be decided**, as an interval spans 0. `tail` − " in page
    assert "beat it too: **cannot be decided**, as an interval spans 0. `steps` − `low`" in page


def test_claim_1_is_open_where_two_differences_coincide():
    """Nothing spans 0: the differences are 1.00 [1.00, 1.00]."""
    found = claims(FOUR, noise=(0.01, -0.02))
    assert found.claims[0].verdict == OPEN
    page = text(found)
    assert f"beats fine-tuning: **cannot be decided**, as {AGREE}. `tail` − " in page
    assert "span" not in page


def test_claim_1_says_both_where_one_spans_0_and_another_coincides():
    cells = {("tail", 9): 91.0, ("low", 9): 90.0, ("steps", 9): 91.0, ("cycle", 9): 92.0}
    page = text(claims(cells, noise=(0.01, -0.02), scatter=100))
    assert f"**cannot be decided**, as an interval spans 0 and {AGREE}." in page


def test_a_replay_of_one_plateau_is_fine_tuning_and_tells_nothing(monkeypatch):
    monkeypatch.setitem(KINDS, "tail", ("final", "replay", SMALL))
    found = claims(FOUR)
    assert found.claims[0].verdict == OPEN
    assert "their curves are the same" in text(found)


def test_a_replay_is_never_taken_for_fine_tuning(monkeypatch):
    monkeypatch.setitem(KINDS, "tail", ("final", "replay", SMALL))
    found = claims({("tail", 9): 91.0} | {k: v for k, v in FOUR.items() if k[0] != "tail"})
    compared = [item.what for item in found.claims[0].parts[1].evidence]
    assert compared == ["`steps` − `low`", "`cycle` − `low`"]


BUDGETS = {
    ("low", 20): 88.0,
    ("low", 60): 88.1,
    ("steps", 20): 88.0,
    ("steps", 60): 90.2,
    ("cycle", 20): 89.0,
    ("cycle", 60): 90.5,
}


@pytest.mark.parametrize(
    ("changes", "dense", "expected"),
    [
        ({}, 90.0, HOLDS),
        ({("low", 60): 88.8}, 90.0, FAILS),
        ({("cycle", 20): 87.0, ("cycle", 60): 90.1}, 90.0, FAILS),
        ({}, 91.0, FAILS),
        # 44 of 100 dense epochs are too short to have to pass the dense network
        ({("cycle", 44): 89.5}, 90.0, HOLDS),
        # fresh starts are controls, not rivals
        ({("new", 20): 95.0, ("new", 60): 95.0}, 90.0, HOLDS),
        # nor are arms that differ in more than the schedule
        ({("taught", 20): 95.0, ("taught", 60): 95.0}, 90.0, HOLDS),
        # nor is the same curve with another peak
        ({("high", 20): 95.0, ("high", 60): 95.0}, 90.0, HOLDS),
    ],
)
def test_claim_2_is_about_longer_budgets(changes, dense, expected):
    assert verdict(2, BUDGETS | changes, dense=dense) == expected


@pytest.mark.parametrize("own", [("flat_taught", 20), ("taught", 20), None])
def test_claim_2_says_where_it_leaves_out_rivals_that_change_more(own):
    best = claims(BUDGETS | ({own: 95.0} if own else {})).claims[1].parts[1]
    said = "`cycle` (highest in 2 of 2 cells) − the best rival"
    clause = " among arms that change nothing else" if own == ("flat_taught", 20) else ""
    assert [item.what for item in best.evidence] == [said + clause]


def test_claim_2_has_no_rival_among_one_cycles():
    best = claims({("cycle", 60): 90.0, ("high", 60): 91.0}).claims[1].parts[1]
    assert not best.evidence
    assert best.missing == "it takes a one-cycle arm and a rival of another curve and equal budget"


def test_claim_2_needs_several_budgets():
    found = claims({("low", 60): 88.0, ("cycle", 60): 90.5})
    assert found.claims[1].verdict == OPEN
    assert "a small constant learning rate at several budgets" in text(found)


def test_a_gain_that_may_be_none_or_more_than_the_margin_is_open():
    found = claims(BUDGETS | {("low", 60): 88.3}, scatter=20)
    assert found.claims[1].parts[0].verdict == OPEN


def crossed(informed, random):
    """Both methods under low and cycle."""
    cells = {}
    for method, (low, cycle) in {"l1": informed, "random": random}.items():
        cells |= {(method, "low", 9): low, (method, "cycle", 9): cycle}
    return cells


@pytest.mark.parametrize(
    ("informed", "random", "expected"),
    [
        ((90.0, 92.0), (89.0, 91.0), HOLDS),
        ((90.0, 90.5), (89.0, 89.5), FAILS),
    ],
)
def test_claim_3_is_the_crossed_comparison(informed, random, expected):
    assert verdict(3, crossed(informed, random)) == expected


def test_claim_3_never_stands_without_the_comparisons_under_one_schedule():
    found = claims(crossed((90.0, 92.0), (89.0, 91.0)))
    page = text(found)
    assert "`random` + `cycle` − `l1` + `low` +1.00" in page
    assert "Under one schedule: `random` + `cycle` − `l1` + `cycle` −1.00" in page
    assert "`random` + `low` − `l1` + `low` −1.00" in page


@pytest.mark.parametrize("number", [3, 4])
def test_claims_on_pruning_methods_need_two(number):
    assert verdict(number, {("low", 9): 90.0, ("cycle", 9): 92.0}) == OPEN
    assert verdict(number, crossed((90, 92), (89, 91)), scatter=200) == OPEN


@pytest.mark.parametrize(
    ("informed", "random", "expected"),
    [
        ((90.0, 92.0), (89.0, 91.0), HOLDS),
        ((90.0, 88.0), (89.0, 91.0), HOLDS),
        # surely within the margin of half a point: the schedule makes no difference
        ((90.0, 90.1), (89.0, 89.1), FAILS),
    ],
)
def test_claim_4_is_that_the_schedule_moves_every_method(informed, random, expected):
    assert verdict(4, crossed(informed, random)) == expected


@pytest.mark.parametrize(("third", "expected"), [((90.0, 92.0), HOLDS), ((90.0, 90.1), FAILS)])
def test_claim_4_judges_every_method(third, expected):
    cells = crossed((90.0, 92.0), (89.0, 91.0))
    cells |= {("other", "low", 9): third[0], ("other", "cycle", 9): third[1]}
    found = claims(cells).claims[3]
    assert found.verdict == expected
    assert len(found.parts[0].evidence) == 3


def test_no_claim_contradicts_another_about_a_pair_within_the_margin():
    """A gain of 0.2 is shown, and shown to be below the margin: it beats nothing anywhere."""
    found = claims(FOUR | {("tail", 9): 90.2, ("cycle", 9): 90.2}).claims
    assert found[0].parts[0].verdict == FAILS
    assert found[4].parts[0].verdict == FAILS


RECOVERY = {("low", 20): 88.0, ("low", 60): 90.0, ("cycle", 20): 90.0, ("cycle", 60): 90.2}


@pytest.mark.parametrize(
    ("changes", "kept", "parts"),
    [
        ({}, 50, [HOLDS, HOLDS, OPEN]),
        ({("cycle", 20): 87.0}, 50, [FAILS, HOLDS, OPEN]),
        ({("cycle", 60): 91.0}, 50, [HOLDS, FAILS, OPEN]),
        ({}, 5, [HOLDS, HOLDS, FAILS]),
        ({("cycle", 60): 80.0}, 5, [HOLDS, HOLDS, HOLDS]),
    ],
)
def test_claim_5_is_about_speed_catching_up_and_reversal(changes, kept, parts):
    found = claims(RECOVERY | changes, kept=kept)
    assert [part.verdict for part in found.claims[4].parts] == parts


def test_claim_5_needs_several_budgets_to_see_anyone_catch_up():
    found = claims({("low", 20): 88.0, ("cycle", 20): 90.0})
    assert [part.verdict for part in found.claims[4].parts] == [HOLDS, OPEN, OPEN]
    assert "both at several budgets" in text(found)


def test_the_smallest_constant_rate_is_the_fine_tuning_one(monkeypatch):
    monkeypatch.setitem(KINDS, "high", ("final", "constant", [0.01] * 3))
    cells = {("high", 9): 93.0, **FOUR}
    found = claims(cells)
    assert found.claims[0].parts[0].evidence[0].what == "`tail` − `low`"


def test_one_replicate_decides_nothing():
    found = claims(FOUR | BUDGETS, noise=[0.0])
    assert {claim.verdict for claim in found.claims} == {OPEN}
    assert ", from one replicate. `tail` − `low` +1.00 (9 epochs)." in text(found)


def test_the_summary_counts_claims_by_verdict():
    found = claims(crossed((90.0, 92.0), (89.0, 91.0)))
    assert summary(found.claims) == (
        "Of the literature's claims, claims 3 and 4 hold; claims 1, 2 and 5 cannot be decided."
    )


def test_a_lone_claim_stands_in_the_singular():
    found = claims(FOUR | {("tail", 9): 89.0})
    assert summary(found.claims) == (
        "Of the literature's claims, claim 1 does not hold; claims 2, 3, 4 and 5 cannot be decided."
    )


def test_the_anchor_is_that_of_the_heading():
    assert TITLE.lower().replace(" ", "-") == ANCHOR


def test_every_part_has_its_rows_in_the_table():
    found = claims(crossed((90.0, 92.0), (89.0, 91.0)))
    rows = table(found).set_index("claim")
    assert rows.loc[4, "difference_points_mean"].tolist() == pytest.approx([2, 2])
    assert rows.loc[3, "verdict"] == HOLDS
    assert rows.loc[2, "verdict"].str.startswith("cannot be decided: it takes").any()
    assert rows["replicates"].dropna().tolist() == [4] * 6


def test_a_close_call_says_so():
    """`tail` - `low`: 1.0 above, sd 31 * 0.01826 = 0.566, so t = 3.53 against 3.18."""
    found = claims({("low", 9): 90.0, ("tail", 9): 91.0}, scatter=32)
    item = found.claims[0].parts[0].evidence[0]
    chance = stats.nct.sf(stats.t.ppf(0.975, 3), 3, item.difference.mean / item.difference.sd * 2)
    assert item.repeat_chance == pytest.approx(chance, abs=0.005)
    again = f"a repeat would find it again with a chance of {chance:.2f}"
    assert f"`tail` − `low` +1.00 [+0.10, +1.90] (9 epochs; a close call: {again})" in text(found)
    assert table(found).repeat_chance[0] == item.repeat_chance
    assert "close call" not in text(claims(FOUR))


def test_a_repeat_says_the_same_when_the_claim_fares_as_before():
    """Nothing gained: the same and worse both say so, each alone with less than all chance."""
    found = claims({("tail", 9): 90.0, ("back", 9): 89.6}, scatter=12)
    [item] = found.claims[0].parts[2].evidence
    chances = repeat(item.difference, 0.5, Levels())
    assert item.verdict == HOLDS
    assert min(chances["same"], chances["worse"]) > 0.01
    assert item.repeat_chance == pytest.approx(chances["same"] + chances["worse"])
