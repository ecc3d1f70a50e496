"""The smallest network of a method that keeps the accuracy, by bisection through the cache."""

from stages.commands.aside import project_aside
from stages.commands.finished import finished_report
from stages.commands.places import DESCRIPTION, REPORTS
from stages.commands.power import replicate_seconds
from stages.commands.probes import Family, Probe, conclusion, in_words, table
from stages.commands.run import run_ready
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_text
from stages.pipeline.params import PARAMS, nearest, parse, read_yaml
from stages.presets.overlay import with_value
from stages.reporting.measures import dense_test, last_test
from stages.reporting.recommendation import recommend
from stages.reporting.words import count
from stages.results.files import read_arm, read_dense
from stages.runner.command import options
from stages.runner.times import duration
from stages.statistics.bisection import last_that_passes, most_trials
from stages.statistics.estimates import paired
from stages.study.amounts import AMOUNTS, amount_of, amounts
from stages.study.networks import dense_network
from stages.study.settings import Study


def family(method: str | None, schedule: str | None, max_drop: float, step: float) -> Family:
    """Return what is searched; a Fault where it cannot be."""
    study: Study = parse(Study, read_yaml())
    method = method or study.prune.method
    if method in study.prune.iterative:
        raise Fault(f"--method is {method!r}, which prunes in rounds; it should prune once")
    if method not in study.prune.methods:
        raise Fault(f"--method is {method!r}; {nearest(method, study.prune.methods)}")
    if schedule is not None and schedule not in study.retrain.schedules:
        raise Fault(f"--schedule is {schedule!r}; {nearest(schedule, study.retrain.schedules)}")
    if study.seeds < 2:
        raise Fault(f"{PARAMS}: seeds is {study.seeds}; a bound on the drop takes 2 or more")
    entry = study.prune.methods[method]
    amount = amount_of(entry)
    if amount is None:
        raise Fault(
            f"{PARAMS}: prune.methods.{method}.allocation has neither {' nor '.join(AMOUNTS)}; "
            "--search varies one of them"
        )
    network, shape = dense_network(study, DESCRIPTION)
    candidates = amounts(network, entry, shape, step)
    if not candidates:
        raise Fault(f"--step is {step:g}; no multiple of it below 1 removes anything")
    return Family(study, method, schedule or _recommended(method), amount, candidates, max_drop)


def search(asked: Family) -> None:
    """Print the price, search, confirm on fresh seeds, and say what was found."""
    print(_price(asked), flush=True)
    study, probes = asked.study, dict[int, Probe]()
    with project_aside():

        def passes(candidate: int) -> bool:
            probes[candidate] = _probe(asked, asked.candidates[candidate], study.seed)
            print(f"\n{in_words(asked, probes[candidate])}\n", flush=True)
            return probes[candidate].keeps(asked.max_drop)

        found = last_that_passes(passes, len(asked.candidates))
        fresh = None
        if found is not None:
            fresh = _probe(asked, asked.candidates[found], study.seed + study.seeds)
    print(f"\n{table(asked, [probes[each] for each in sorted(probes)])}\n")
    print(conclusion(asked, probes, found, fresh))


def _recommended(method: str) -> str:
    """Return the schedule that the results of the study recommend."""
    report = finished_report()
    found = recommend(report, method)
    if found is None:
        raise Fault(f"the results recommend no schedule for {method}; name one by --schedule")
    return found.best.schedule


def _probe(asked: Family, value: float, seed: int) -> Probe:
    """Run one network of the family, in the current folder, and measure it."""
    text = with_value(PARAMS.read_text(encoding="utf-8"), asked.key, value)
    write_text(PARAMS, with_value(text, "seed", seed))
    targets = ["evaluate_dense", f"evaluate@{asked.method}-{asked.schedule}"]
    if code := run_ready(options(targets)):
        print("stopped; what is done is kept, and the same command goes on from there")
        raise SystemExit(code)
    dense, arm = read_dense(REPORTS), read_arm(REPORTS, asked.method, asked.schedule)
    two_sided = 2 * asked.study.compare.confidence - 1  # its upper end is the one-sided bound
    weights = asked.entry.method().granularity == "weight"
    left = arm.nonzero if weights else arm.parameters
    return Probe(
        value,
        seed,
        left,
        100 * left / dense.parameters,
        arm.macs,
        100 * arm.macs / dense.macs,
        paired(dense_test(dense), last_test(arm), two_sided),
        len(arm.diverged),
    )


def _price(asked: Family) -> str:
    """Say how many runs there will be at most, and how long they take where nothing is there."""
    study = asked.study
    prune = study.prune.model_copy(update={"methods": {asked.method: asked.entry}, "iterative": {}})
    schedules = {asked.schedule: study.retrain.schedules[asked.schedule]}
    retrain = study.retrain.model_copy(update={"schedules": schedules})
    alone = study.model_copy(update={"prune": prune, "retrain": retrain, "corruptions": {}})
    trials = most_trials(len(asked.candidates))
    seconds = replicate_seconds(alone)
    time = ""
    if seconds is not None:
        most = duration((trials + 1) * study.seeds * seconds)
        time = f"; about {most} of computing where nothing is there yet"
    first, last = asked.candidates[0], asked.candidates[-1]
    return (
        f"{asked.method} under {asked.schedule}: {len(asked.candidates)} networks, "
        f"{asked.amount} {first:g} to {last:g}; at most {count(trials, 'probe')} and a "
        f"confirmation, of {count(study.seeds, 'replicate')} each{time}"
    )
