"""What must hold of the arms that `compare` lists: one change at a time, or a full cross."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from stages.pipeline.fault import Fault
from stages.reporting.design import design_of
from stages.reporting.keys import Keys, keys_of, name_of, options_changed
from stages.reporting.words import listed
from stages.retraining.planning import Pruning, plan_arm
from stages.study.schedules import NOMINAL_STEPS
from stages.study.settings import Study


def faults_of_comparisons(study: Study) -> Iterator[str]:
    """Yield what is wrong with `compare.path` and `compare.factorial`.

    They have to hold for one method at least: what a budget comes to depends on its rounds. Names
    of no schedule, and curves that cannot be computed, are faults of their own elsewhere.
    """
    compare, known = study.compare, study.retrain.schedules
    for key, names in (("path", compare.path), ("factorial", compare.factorial)):
        if len(names) == 1 or len(set(names)) < len(names):
            yield f"compare.{key} is {list(names)}; it should hold two or more, each once"
        elif names and set(names) <= known.keys():
            try:
                by_rounds = [
                    {name: _keys(study, name, number) for name in names}
                    for number in _rounds(study)
                ]
            except Fault:
                continue
            judge = _path if key == "path" else _factorial
            found = [[*judge(arms)] for arms in by_rounds]
            if all(found):
                yield from found[0]


def _rounds(study: Study) -> list[int]:
    """Return how many rounds of pruning the methods have, fewest first."""
    once = [1] if study.prune.methods else []
    return sorted({*once, *(entry.number for entry in study.prune.iterative.values())})


def _keys(study: Study, name: str, rounds: int) -> Keys:
    """Return the keys of an arm as its plan has them, as far as known before pruning."""
    schedule, dense = study.retrain.schedules[name], study.train.rates(NOMINAL_STEPS)
    plan = plan_arm(schedule, study.retrain.epochs, dense, Pruning(1.0, (), (), rounds))
    lr, momentum = plan.rates.lr.tolist(), plan.rates.momentum.tolist()
    return keys_of(schedule.model_dump(mode="json"), plan.epochs, lr, momentum, rounds)


def _path(arms: Mapping[str, Keys]) -> Iterator[str]:
    for first, second in pairwise(arms):
        places = options_changed(arms[first], arms[second])
        if len(places) != 1:
            keys = listed([name_of(place) for place in places])
            yield (
                f"compare.path: {first} and {second} differ in {keys or 'nothing'}; neighbours "
                "should differ in one key, or in one option of it"
            )


def _factorial(arms: Mapping[str, Keys]) -> Iterator[str]:
    try:
        design_of(arms)
    except Fault as fault:
        yield f"{fault}"
