"""reports/README.md: the page that answers how to retrain after pruning."""

from stages.reporting.answer import answer
from stages.reporting.crossing import crossing
from stages.reporting.environment import environment
from stages.reporting.figures import has_budgets
from stages.reporting.findings import Findings
from stages.reporting.lines import MOST_BANDS
from stages.reporting.markdown import code, count, level, listed, mean_sd, table, with_interval
from stages.reporting.measures import (
    best_test,
    dense_test,
    last_test,
    last_validation,
    macs_kept,
    parameters_kept,
    pruned_test,
    selected_test,
    to_baseline,
    to_dense,
    training_cost,
)
from stages.reporting.records import Arm
from stages.reporting.results import Study


def report(found: Findings) -> str:
    """The whole page as Markdown."""
    study, settings = found.study, found.settings
    sections = {
        "Answer": answer(found),
        "Every arm": _arms(found),
        "Does the schedule outweigh the pruning method?": crossing(study, settings, found.crossed),
        "Before retraining": _networks(study),
        "How accuracy returns": _curves(found),
        "How to read this": _reading(found),
        "Environment": environment(study),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"# After pruning, how to retrain\n\n{_scope(study)}\n\n{body}\n"


def _scope(study: Study) -> str:
    runs = sorted({len(arm.replicates) for arm in study.arms.values()})
    replicates = listed([str(number) for number in runs], "or")
    return (
        f"{count(len(study.methods), 'pruning method')} × "
        f"{count(len(study.schedules), 'retraining schedule')}, {replicates} "
        f"{'replicate' if runs == [1] else 'replicates'} each. Accuracies are top-1 on test data "
        "after the last epoch, in percent; differences are in points."
    )


def _arms(found: Findings) -> str:
    study, settings = found.study, found.settings
    bars = (
        f"bars are {level(settings.confidence)} intervals (an arrow: cut at the edge)"
        if _repeated(study)
        else "without intervals, since there is one replicate"
    )
    figure = _figure(
        "arms",
        "Every arm",
        "Left: test accuracy; open dots are replicates, ticks their means. Right: the paired "
        f"difference to {code(settings.baseline)} of the same method. {bars.capitalize()}.",
    )
    tables = [f"### {code(method)}\n\n{_method_table(found, method)}" for method in study.methods]
    return "\n\n".join([figure, *tables, _all_tables()])


def _method_table(found: Findings, method: str) -> str:
    arms = sorted(found.study.of(method), key=lambda arm: (arm.epochs, -last_test(arm).mean()))
    validated = any(last_validation(arm).notna().any() for arm in arms)
    winners = {verdict.contest.winner for verdict in found.verdicts if verdict.method == method}
    header = ["Schedule", "Epochs", "Test, %", "vs baseline, points", "vs dense, points"]
    header += ["Selected, %"] * validated + ["Best of test, %", "Cost, %", "n"]
    return table(header, [_arm_row(found, arm, validated, arm.schedule in winners) for arm in arms])


def _arm_row(found: Findings, arm: Arm, validated: bool, wins: bool) -> list[str]:
    study, settings = found.study, found.settings
    is_baseline = arm.schedule == settings.baseline
    name = code(arm.schedule) + (" (baseline)" if is_baseline else "")
    return [
        f"**{name}**" if wins else name,
        str(arm.epochs),
        f"**{mean_sd(last_test(arm))}**" if wins else mean_sd(last_test(arm)),
        "–" if is_baseline else with_interval(to_baseline(study, settings, arm)),
        with_interval(to_dense(study, settings, arm)),
        *([mean_sd(selected_test(arm))] if validated else []),
        mean_sd(best_test(arm)),
        f"{training_cost(arm, study.baselines[arm.method]):.0f}",
        str(len(arm.replicates)),
    ]


def _all_tables() -> str:
    names = ["arms", "paired", "winners", "crossed", "baselines"]
    return "As CSV: " + listed([f"[{name}](tables/{name}.csv)" for name in names]) + "."


def _networks(study: Study) -> str:
    rows = [
        (
            name,
            mean_sd(scores),
            f"{network.parameters:,}",
            f"{parameters_kept(network, baseline):.1f}",
            f"{network.macs / 1e6:,.1f} M",
            f"{macs_kept(network, baseline):.1f}",
            str(len(scores)),
        )
        for baseline in study.baselines.values()
        for name, network, scores in (
            ("dense", baseline.dense, dense_test(baseline)),
            (f"pruned by {code(baseline.method)}", baseline.pruned, pruned_test(baseline)),
        )
    ]
    header = ["Network", "Test, %", "Parameters", "kept, %", "MACs", "kept, %", "n"]
    convention = (
        "MACs are the multiply-accumulates of convolutions and linear layers for one image: one "
        "multiplication and one addition count as one, and weights that are zero count too."
    )
    if any(baseline.granularity == "weight" for baseline in study.baselines.values()):
        convention += " Weights that a mask holds at zero are not among the parameters kept."
    return f"{table(header, dict.fromkeys(rows))}\n\n{convention}"


def _curves(found: Findings) -> str:
    parts = [
        _figure(
            "epochs",
            "Test accuracy by epoch",
            f"{_lines(found)} Low values early in training may fall below the axis.",
        ),
        _figure("learning_rates", "Learning rate by epoch", _learning_rates(found)),
    ]
    if has_budgets(found.lines):
        parts.insert(
            0,
            _figure(
                "budget",
                "Accuracy against epochs of retraining",
                "Schedules that differ in epochs alone are joined; bars are intervals, points "
                "are set apart sideways. The two figures below show of each the budget nearest to "
                "the baseline's.",
            ),
        )
    return "\n\n".join(parts)


def _lines(found: Findings) -> str:
    if not _repeated(found.study):
        return "Each line is one replicate."
    if len(found.lines) > MOST_BANDS:
        return "Lines are means over replicates."
    return "Lines are means over replicates, bands run from the lowest to the highest."


def _learning_rates(found: Findings) -> str:
    text = f"As used with {code(found.settings.careful)}"
    if len(found.study.methods) == 1:
        return f"{text}."
    return f"{text}; a schedule that adapts to the pruned network differs between methods."


def _repeated(study: Study) -> bool:
    return any(len(arm.replicates) > 1 for arm in study.arms.values())


def _reading(found: Findings) -> str:
    confidence = level(found.settings.confidence)
    validated = any(last_validation(arm).notna().any() for arm in found.study.arms.values())
    selected = (
        "**Selected** is test accuracy at the epoch that validation picks. " if validated else ""
    )
    lines = [
        "**Test** is top-1 test accuracy after the last epoch, mean ± sample standard deviation "
        f"over n replicates: the headline. {selected}**Best of test** is the highest test "
        "accuracy of any epoch; it has seen the test data, and its lead over **Test** is that "
        "bias. It decides nothing here.",
        "A replicate is a seed. Replicate i of every arm starts from dense network i, and all "
        "arms of a method share its mask, so arms are compared **in pairs by seed**.",
        f"Brackets hold {confidence} t-intervals of the paired difference, each by itself. An arm "
        "**wins** only if it beats every other arm of the same method and epochs with intervals "
        f"that hold {confidence} together (Bonferroni).",
        "Which arm is highest is read off the same test data, so its lead is a little flattered; "
        "fresh seeds settle a close call.",
        "Intervals cover variation between seeds, not the finite test set. With two or three "
        "seeds they are wide; one seed gives none.",
        "**Cost** is the MACs spent on retraining in percent of those spent on dense training.",
    ]
    if any(arm.start == "fresh" for arm in found.study.arms.values()):
        lines.append(
            "Arms that start fresh train the pruned network from random weights: controls, never "
            "chosen as the best schedule."
        )
    return "\n".join(f"- {line}" for line in lines)


def _figure(name: str, title: str, caption: str) -> str:
    return f"![{title}](figures/{name}.svg)\n\n*{title}.* {caption}"
