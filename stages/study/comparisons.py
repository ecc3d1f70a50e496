"""What must hold of the arms that `compare` lists: one change at a time, or a full cross."""

from collections.abc import Iterator
from itertools import pairwise

from stages.pipeline.fault import Fault
from stages.reporting.design import design_of
from stages.reporting.keys import Keys, keys_of, name_of, options_changed
from stages.reporting.words import listed
from stages.study.schedules import NOMINAL_STEPS
from stages.study.settings import Study, nominal_epochs


def faults_of_comparisons(study: Study) -> Iterator[str]:
    """Yield what is wrong with `compare.path` and `compare.factorial`.

    Names of no schedule, and curves that cannot be computed, are faults of their own elsewhere.
    """
    compare, known = study.compare, study.retrain.schedules
    for key, names in (("path", compare.path), ("factorial", compare.factorial)):
        if len(names) == 1 or len(set(names)) < len(names):
            yield f"compare.{key} is {list(names)}; it should hold two or more, each once"
        elif names and set(names) <= known.keys():
            try:
                arms = {name: _keys(study, name) for name in names}
            except Fault:
                continue
            yield from _path(arms) if key == "path" else _factorial(arms)


def _keys(study: Study, name: str) -> Keys:
    schedule, dense = study.retrain.schedules[name], study.train.rates(NOMINAL_STEPS)
    epochs = nominal_epochs(schedule, study)
    rates = schedule.arm().rates(epochs, NOMINAL_STEPS, schedule.of_dense(dense))
    lr, momentum = rates.lr.tolist(), rates.momentum.tolist()
    # A key that does nothing under one of the methods is none that arms may be listed for.
    rounds = 1 if study.prune.methods else 2
    return keys_of(schedule.model_dump(mode="json"), epochs, lr, momentum, rounds)


def _path(arms: dict[str, Keys]) -> Iterator[str]:
    for first, second in pairwise(arms):
        places = options_changed(arms[first], arms[second])
        if len(places) != 1:
            keys = listed([name_of(place) for place in places])
            yield (
                f"compare.path: {first} and {second} differ in {keys or 'nothing'}; neighbours "
                "should differ in one key, or in one option of it"
            )


def _factorial(arms: dict[str, Keys]) -> Iterator[str]:
    try:
        design_of(arms)
    except Fault as fault:
        yield f"{fault}"
