"""The claims of the literature, each a pure function of the arms and their roles."""

from collections.abc import Callable, Mapping, Sequence

from stages.reporting.claims.evidence import (
    Claim,
    Evidence,
    Judge,
    Part,
    Relation,
    above,
    below,
    no_gain,
    nonzero,
)
from stages.reporting.claims.roles import Line, roles, shared
from stages.reporting.measures import dense_test, kept_by, last_test, mean_test
from stages.reporting.report import Report
from stages.reporting.words import code, decimal
from stages.statistics.estimates import paired

LONG = 72 / 160
"""The part of the dense run's epochs from which on `onecycle` passes the dense network."""
SPARSE = 10.0
"""Parameters kept, in percent, from which on down a network counts as very sparse."""
NO_PAIR = "it takes an arm at a small constant learning rate and one that goes up to a large one"
ONE_METHOD = "it takes two pruning methods"
CROSSED = "The crossed comparison, of two changes at once"


def published_claims(report: Report) -> list[Claim]:
    """Judge every claim by a study."""
    judge = Judge(report, {method: roles(report, method) for method in report.results.methods})
    return [Claim(text, parts(judge)) for text, parts in CLAIMS.items()]


def large_rate(judge: Judge) -> list[Part]:
    """Claim 1: it is the large learning rate, not the rewinding (Renda 2020; Le & Hua 2021)."""
    ours = judge.informed
    replayed = judge.part(
        "Replaying the dense run's last learning rates beats fine-tuning",
        _pairs([ours.lr_rewind], ours.finetune),
        above,
        "it takes an arm that replays them and one at a small constant learning rate",
    )
    restarted = judge.part(
        "Large learning rates that replay nothing beat it too",
        _pairs(ours.restarts, ours.finetune),
        above,
        NO_PAIR,
    )
    rewound = judge.part(
        "Rewinding the weights as well gains nothing",
        _pairs([ours.weight_rewind], ours.lr_rewind),
        no_gain,
        "it takes an arm that only replays learning rates",
    )
    return [replayed, restarted, *([rewound] if ours.weight_rewind else [])]


def longer_budgets(judge: Judge) -> list[Part]:
    """Claim 2: what more epochs give (Le & Hua 2021, on CIFAR-10)."""
    return [_flat(judge), _best(judge), _passes_dense(judge)]


def random_filters(judge: Judge) -> list[Part]:
    """Claim 3: the crossed comparison, those under one schedule beside it (Le & Hua 2021)."""
    ours, random = judge.informed, judge.random
    if ours.pair is None or random is None:
        return [Part(CROSSED, missing=NO_PAIR if random else ONE_METHOD)]
    fast, slow = ours.pair
    epochs = shared(fast, slow)
    crossed = _methods(judge, random.lines[fast.name], slow, epochs, above)
    beside = [_methods(judge, random.lines[line.name], line, epochs, nonzero) for line in ours.pair]
    return [Part(CROSSED, [crossed], beside=beside)]


def same_configuration(judge: Judge) -> list[Part]:
    """Claim 4: what unequal schedules add to a comparison of methods (Le & Hua 2021)."""
    text = "The schedule alone moves every method, and so any comparison across schedules"
    return [Part(text, _moves(judge), NO_PAIR if len(judge.roles) > 1 else ONE_METHOD)]


def recovery(judge: Judge) -> list[Part]:
    """Claim 5: large rates recover faster, small ones catch up (Wang 2023)."""
    return [_faster(judge), _catches_up(judge), _reverses(judge)]


CLAIMS: Mapping[str, Callable[[Judge], list[Part]]] = {
    "Learning-rate rewinding beats fine-tuning because its learning rate is large, not because it "
    "rewinds": large_rate,
    "Fine-tuning does not improve with more epochs; one-cycle is best in nearly every cell and "
    "passes the dense network when trained long": longer_budgets,
    "Random pruning with a large learning rate beats informed pruning with fine-tuning": (
        random_filters
    ),
    "Pruning methods should be compared in the same retraining configurations": same_configuration,
    "A large learning rate speeds the recovery of a pruned network; with enough epochs a small one "
    "catches up; at very high sparsity the order can reverse": recovery,
}
"""The claims in their order, and what judges the parts of each."""


def _flat(judge: Judge) -> Part:
    text, line = "Fine-tuning does not improve with more epochs", judge.informed.finetune
    if line is None or len(line.arms) < 2:
        return Part(text, missing="it takes a small constant learning rate at several budgets")
    first, *_, last = line.arms
    longest, shortest = (last_test(line.arms[epochs]) for epochs in (last, first))
    value = paired(longest, shortest, judge.confidence)
    what = f"{code(line.name)} at {decimal(last)} epochs − at {decimal(first)}"
    arms = [line.arms[first], line.arms[last]]
    return Part(text, [judge.evidence(what, [first, last], value, no_gain, arms)])


def _best(judge: Judge) -> Part:
    text, line = "One-cycle is best in nearly every cell", judge.informed.onecycle
    report = judge.report
    others = {
        label: other
        for label, other in judge.informed.lines.items()
        if other.start != "fresh" and other.curve != "onecycle"
    }
    plain = [other for label, other in others.items() if report.is_plain(report.lines[label][0])]
    cells = line.arms if line else {}
    rivals = [arm for other in plain for arm in other.arms.values() if not arm.diverged]
    best = {
        epochs: max(arms, key=lambda arm: last_test(arm).mean())
        for epochs in cells
        if (arms := [arm for arm in rivals if arm.epochs == epochs])
    }
    if line is None or not best:
        lone = "it takes a one-cycle arm and a rival of another curve and equal budget"
        return Part(text, missing=f"{lone} that finished" if report.diverged else lone)
    ours = [line.arms[epochs] for epochs in best]
    theirs = list(best.values())
    pairs = zip(ours, theirs, strict=True)
    ahead = sum(last_test(a).mean(skipna=False) > last_test(b).mean() for a, b in pairs)
    value = paired(mean_test(ours), mean_test(theirs), judge.confidence)
    what = f"{code(line.name)} (highest in {ahead} of {len(ours)} cells) − the best rival"
    if len(plain) < len(others):
        what += " among arms that change nothing else"
    return Part(text, [judge.evidence(what, list(best), value, above, ours)])


def _passes_dense(judge: Judge) -> Part:
    text = f"Trained for {100 * LONG:.0f} % of the dense run's epochs or more, one-cycle passes it"
    line, dense = judge.informed.onecycle, judge.report.results.dense
    cells = line.arms if line else {}
    epochs = [number for number in cells if number >= LONG * dense.epochs]
    if line is None or not epochs:
        return Part(text, missing="it takes a one-cycle arm of that budget")
    scores = dense_test(dense)
    evidence = [
        judge.evidence(
            f"{code(line.name)} − dense",
            [number],
            paired(last_test(line.arms[number]), scores, judge.confidence),
            above,
            [line.arms[number]],
        )
        for number in epochs
    ]
    return Part(text, evidence)


def _faster(judge: Judge) -> Part:
    text, pair = "The large learning rate is ahead at the shortest budget", judge.informed.pair
    if pair is None:
        return Part(text, missing=NO_PAIR)
    return Part(text, [judge.gap(*pair, shared(*pair)[:1], above)])


def _catches_up(judge: Judge) -> Part:
    text, pair = "At the longest budget the small one has caught up", judge.informed.pair
    epochs = shared(*pair) if pair else []
    if pair is None or len(epochs) < 2:
        return Part(text, missing=f"{NO_PAIR}, both at several budgets")
    return Part(text, [judge.gap(*pair, epochs[-1:], no_gain)])


def _reverses(judge: Judge) -> Part:
    text = f"Where {SPARSE:g} % of the parameters or fewer are kept, the small one is ahead"
    kept = {name: kept_by(judge.report.results, name) for name in judge.report.results.methods}
    sparsest = min(kept, key=lambda name: kept[name])
    pair = judge.roles[sparsest].pair
    if pair is None or kept[sparsest] > SPARSE:
        return Part(text, missing="it takes a method that keeps that few")
    return Part(text, [judge.gap_on(sparsest, *pair, shared(*pair), below)])


def _moves(judge: Judge) -> list[Evidence]:
    pairs = {name: roles.pair for name, roles in judge.roles.items()}
    if len(pairs) < 2:
        return []
    return [
        judge.gap_on(name, *pair, shared(*pair), nonzero) for name, pair in pairs.items() if pair
    ]


def _methods(
    judge: Judge, first: Line, second: Line, epochs: Sequence[float], relation: Relation
) -> Evidence:
    """Judge the random method under `first` minus the informed one under `second`."""
    settings = judge.report.settings
    what = (
        f"{code(settings.random)} + {code(first.name)} − "
        f"{code(settings.informed)} + {code(second.name)}"
    )
    return judge.gap(first, second, epochs, relation, what)


def _pairs(firsts: Sequence[Line | None], second: Line | None) -> list[tuple[Line, Line]]:
    return [(first, second) for first in firsts if first and second]
