"""The literature's claims, each a pure function of a study's scene."""

from collections.abc import Sequence

from stages.reporting.cast import Line, gap, shared
from stages.reporting.markdown import code
from stages.reporting.measures import dense_test, kept_by, last_test, mean_test
from stages.reporting.scene import Claim, Evidence, Scene, Statement
from stages.reporting.statistics import paired
from stages.reporting.verdicts import Relation, above, below, moved, no_gain

LONG = 72 / 160
"""The part of the dense run's epochs from which on `onecycle` passes the dense network."""
SPARSE = 10.0
"""Parameters kept, in percent, from which on down a network counts as very sparse."""
NO_PAIR = "it takes an arm at a small constant learning rate and one that goes up to a large one"
ONE_METHOD = "it takes two pruning methods"
CROSSED = "The crossed comparison, of two changes at once"


def judge(scene: Scene) -> list[Claim]:
    """Hold every claim against a study."""
    return [
        large_rate(scene),
        longer_budgets(scene),
        random_filters(scene),
        same_configuration(scene),
        recovery(scene),
    ]


def large_rate(scene: Scene) -> Claim:
    """Claim 1: it is the large learning rate, not the rewinding (Renda 2020; Le & Hua 2021)."""
    ours = scene.careful
    replayed = scene.statement(
        "Replaying the dense run's last learning rates beats fine-tuning",
        _pairs([ours.lr_rewind], ours.finetune),
        above,
        "it takes an arm that replays them and one at a small constant learning rate",
    )
    restarted = scene.statement(
        "Large learning rates that replay nothing beat it too",
        _pairs(ours.restarts, ours.finetune),
        above,
        NO_PAIR,
    )
    rewound = scene.statement(
        "Rewinding the weights as well gains nothing",
        _pairs([ours.weight_rewind], ours.lr_rewind),
        no_gain,
        "it takes an arm that only replays learning rates",
    )
    return Claim(
        "Learning-rate rewinding beats fine-tuning because its learning rate is large, not because "
        "it rewinds",
        [replayed, restarted, *([rewound] if ours.weight_rewind else [])],
    )


def longer_budgets(scene: Scene) -> Claim:
    """Claim 2: what more epochs give (Le & Hua 2021, on CIFAR-10)."""
    return Claim(
        "Fine-tuning does not improve with more epochs; one-cycle is best in nearly every cell and "
        "passes the dense network when trained long",
        [_flat(scene), _best(scene), _passes_dense(scene)],
    )


def random_filters(scene: Scene) -> Claim:
    """Claim 3: the crossed comparison, those under one schedule beside it (Le & Hua 2021)."""
    text = "Random pruning with a large learning rate beats careful pruning with fine-tuning"
    ours, drawn = scene.careful, scene.random
    if ours.pair is None or drawn is None:
        return Claim(text, [Statement(CROSSED, missing=NO_PAIR if drawn else ONE_METHOD)])
    fast, slow = ours.pair
    epochs = shared(fast, slow)
    crossed = _methods(scene, drawn.lines[fast.name], slow, epochs, above)
    beside = [_methods(scene, drawn.lines[line.name], line, epochs, moved) for line in ours.pair]
    return Claim(text, [Statement(CROSSED, [crossed], beside=beside)])


def same_configuration(scene: Scene) -> Claim:
    """Claim 4: what unequal schedules add to a comparison of methods (Le & Hua 2021)."""
    text = "The schedule alone moves every method, and so any comparison across schedules"
    return Claim(
        "Pruning methods should be compared in the same retraining configurations",
        [Statement(text, _moves(scene), NO_PAIR if scene.random else ONE_METHOD)],
    )


def recovery(scene: Scene) -> Claim:
    """Claim 5: large rates recover faster, small ones catch up (Wang 2023)."""
    return Claim(
        "A large learning rate speeds the recovery of a pruned network; with enough epochs a small "
        "one catches up; at very high sparsity the order can reverse",
        [_faster(scene), _catches_up(scene), _reverses(scene)],
    )


def _flat(scene: Scene) -> Statement:
    text, line = "Fine-tuning does not improve with more epochs", scene.careful.finetune
    if line is None or len(line.arms) < 2:
        return Statement(text, missing="it takes a small constant learning rate at several budgets")
    first, *_, last = line.arms
    longest, shortest = (last_test(line.arms[epochs]) for epochs in (last, first))
    value = paired(longest, shortest, scene.settings.confidence)
    what = f"{code(line.name)} at {last} epochs − at {first}"
    return Statement(text, [scene.judge(what, [first, last], value, no_gain)])


def _best(scene: Scene) -> Statement:
    text, line = "One-cycle is best in nearly every cell", scene.careful.onecycle
    rivals = [r for r in scene.careful.lines.values() if r is not line and r.start != "fresh"]
    cells = line.arms if line else {}
    best = {
        epochs: max(arms, key=lambda arm: last_test(arm).mean())
        for epochs in cells
        if (arms := [rival.arms[epochs] for rival in rivals if epochs in rival.arms])
    }
    if line is None or not best:
        return Statement(text, missing="it takes a one-cycle arm and a rival of equal budget")
    ours = [line.arms[epochs] for epochs in best]
    theirs = list(best.values())
    ahead = sum(
        last_test(a).mean() > last_test(b).mean() for a, b in zip(ours, theirs, strict=True)
    )
    value = paired(mean_test(ours), mean_test(theirs), scene.settings.confidence)
    what = f"{code(line.name)} (highest in {ahead} of {len(ours)} cells) − the best rival"
    return Statement(text, [scene.judge(what, list(best), value, above)])


def _passes_dense(scene: Scene) -> Statement:
    text = f"Trained for {100 * LONG:.0f} % of the dense run's epochs or more, one-cycle passes it"
    line, baseline = scene.careful.onecycle, scene.study.baselines[scene.settings.careful]
    cells = line.arms if line else {}
    epochs = [number for number in cells if number >= LONG * baseline.dense.epochs]
    if line is None or not epochs:
        return Statement(text, missing="it takes a one-cycle arm of that budget")
    dense, confidence = dense_test(baseline), scene.settings.confidence
    evidence = [
        scene.judge(
            f"{code(line.name)} − dense",
            [number],
            paired(last_test(line.arms[number]), dense, confidence),
            above,
        )
        for number in epochs
    ]
    return Statement(text, evidence)


def _faster(scene: Scene) -> Statement:
    text, pair = "The large learning rate is ahead at the shortest budget", scene.careful.pair
    if pair is None:
        return Statement(text, missing=NO_PAIR)
    return Statement(text, [scene.gap(*pair, shared(*pair)[:1], above)])


def _catches_up(scene: Scene) -> Statement:
    text, pair = "At the longest budget the small one has caught up", scene.careful.pair
    epochs = shared(*pair) if pair else []
    if pair is None or len(epochs) < 2:
        return Statement(text, missing=f"{NO_PAIR}, both at several budgets")
    return Statement(text, [scene.gap(*pair, epochs[-1:], no_gain)])


def _reverses(scene: Scene) -> Statement:
    text = f"Where {SPARSE:g} % of the parameters or fewer are kept, the small one is ahead"
    kept = {name: kept_by(scene.study, name) for name in scene.study.methods}
    sparsest = min(kept, key=lambda name: kept[name])
    pair = scene.casts[sparsest].pair
    if pair is None or kept[sparsest] > SPARSE:
        return Statement(text, missing="it takes a method that keeps that few")
    return Statement(text, [scene.gap(*pair, shared(*pair), below, on=sparsest)])


def _moves(scene: Scene) -> list[Evidence]:
    settings = scene.settings
    pairs = {name: scene.casts[name].pair for name in (settings.careful, settings.random)}
    if scene.random is None:
        return []
    return [scene.gap(*pair, shared(*pair), moved, on=name) for name, pair in pairs.items() if pair]


def _methods(
    scene: Scene, first: Line, second: Line, epochs: Sequence[int], relation: Relation
) -> Evidence:
    """Judge the random method under `first` minus the careful one under `second`."""
    settings = scene.settings
    what = (
        f"{code(settings.random)} + {code(first.name)} − "
        f"{code(settings.careful)} + {code(second.name)}"
    )
    return scene.judge(what, epochs, gap(first, second, epochs, settings.confidence), relation)


def _pairs(firsts: Sequence[Line | None], second: Line | None) -> list[tuple[Line, Line]]:
    return [(first, second) for first in firsts if first and second]
