"""reports/README.md: the page that answers how to retrain after pruning."""

from stages.reporting import ablation_page, budgets, literature
from stages.reporting.answer import answer
from stages.reporting.budgets import has_budgets
from stages.reporting.crossing import crossing
from stages.reporting.environment import environment
from stages.reporting.findings import Findings
from stages.reporting.lines import MOST_BANDS
from stages.reporting.markdown import code, count, level, listed, mean_sd, table, with_interval
from stages.reporting.measures import (
    best_test,
    last_test,
    last_validation,
    selected_test,
    to_dense,
    training_cost,
)
from stages.reporting.networks import networks
from stages.reporting.rankings import rankings
from stages.reporting.rankings import section as rankings_section
from stages.reporting.reading import reading
from stages.reporting.records import Arm
from stages.reporting.results import Study, repeated


def report(found: Findings) -> str:
    """The whole page as Markdown."""
    study, settings = found.study, found.settings
    sections = {
        "Answer": answer(found),
        "Every arm": _arms(found),
        **_ablation(found),
        **_budgets(found),
        "Does the schedule outweigh the pruning method?": crossing(study, settings, found.crossed),
        **_rankings(found),
        "The claims of the literature": literature.section(found.claims, settings),
        "Before retraining": networks(study),
        "How accuracy returns": _curves(found),
        "How to read this": reading(found),
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
        if repeated(study)
        else "without intervals, since there is one replicate"
    )
    figure = _figure(
        "arms",
        "Every arm",
        "Left: the learning rate over the arm's own run. Middle: test accuracy; open dots are "
        "replicates, ticks their means. Right: the paired difference to "
        f"{code(found.baseline)} of the same method{_same_budget(found)}. {bars.capitalize()}.",
    )
    tables = [f"### {code(method)}\n\n{_method_table(found, method)}" for method in study.methods]
    return "\n\n".join([figure, *tables, _all_tables(found)])


def _method_table(found: Findings, method: str) -> str:
    arms = sorted(found.study.of(method), key=lambda arm: (arm.epochs, -last_test(arm).mean()))
    validated = any(last_validation(arm).notna().any() for arm in arms)
    winners = {verdict.contest.winner for verdict in found.verdicts if verdict.method == method}
    header = ["Schedule", "Epochs", "Test, %", "vs baseline, points", "vs dense, points"]
    header += ["Selected, %"] * validated + ["Best of test, %", "Cost, %", "n"]
    return table(header, [_arm_row(found, arm, validated, arm.schedule in winners) for arm in arms])


def _arm_row(found: Findings, arm: Arm, validated: bool, wins: bool) -> list[str]:
    study, settings = found.study, found.settings
    to_baseline = found.to_baseline(arm)
    name = code(arm.schedule) + ("" if to_baseline else " (baseline)")
    return [
        f"**{name}**" if wins else name,
        str(arm.epochs),
        f"**{mean_sd(last_test(arm))}**" if wins else mean_sd(last_test(arm)),
        with_interval(to_baseline) if to_baseline else "–",
        with_interval(to_dense(study, settings, arm)),
        *([mean_sd(selected_test(arm))] if validated else []),
        mean_sd(best_test(arm)),
        f"{training_cost(arm, study.baselines[arm.method]):.0f}",
        str(len(arm.replicates)),
    ]


def _same_budget(found: Findings) -> str:
    return " and budget, where it has that budget" if has_budgets(found.lines) else ""


def _all_tables(found: Findings) -> str:
    names = ["arms", "paired", "winners", "crossed", "claims", "baselines"]
    names += ["rankings"] * (rankings(found.study, found.settings) is not None)
    names += ["budgets"] * has_budgets(found.lines) + ["ablation"] * bool(found.ablations)
    return "As CSV: " + listed([f"[{name}](tables/{name}.csv)" for name in names]) + "."


def _ablation(found: Findings) -> dict[str, str]:
    if not found.ablations:
        return {}
    figure = _figure(
        "ablation",
        "One change at a time",
        "Open dots are replicates, full dots their means, bars the intervals of the table.",
    )
    return {"One change at a time": f"{figure}\n\n{ablation_page.section(found.ablations)}"}


def _budgets(found: Findings) -> dict[str, str]:
    if not has_budgets(found.lines):
        return {}
    figure = _figure(
        "budget",
        "Accuracy against epochs of retraining",
        "Schedules that differ in epochs alone are joined; bars are intervals, points are set "
        "apart sideways.",
    )
    return {"Accuracy against budget": f"{figure}\n\n{budgets.section(found)}"}


def _rankings(found: Findings) -> dict[str, str]:
    ranked = rankings(found.study, found.settings)
    if ranked is None:
        return {}
    text = rankings_section(ranked, found.settings.confidence)
    return {"Does the pruning method still matter under the best schedule?": text}


def _curves(found: Findings) -> str:
    nearest = " Of each schedule the budget nearest to the baseline's is shown."
    note = nearest if has_budgets(found.lines) else ""
    parts = [
        _figure(
            "epochs",
            "Test accuracy by epoch",
            f"{_lines(found)} Low values early in training may fall below the axis.{note}",
        ),
        _figure("learning_rates", "Learning rate by epoch", _learning_rates(found)),
    ]
    return "\n\n".join(parts)


def _lines(found: Findings) -> str:
    if not repeated(found.study):
        return "Each line is one replicate."
    if len(found.lines) > MOST_BANDS:
        return "Lines are means over replicates."
    return "Lines are means over replicates, bands run from the lowest to the highest."


def _learning_rates(found: Findings) -> str:
    text = f"As used with {code(found.settings.careful)}."
    adapted = {
        arm.schedule: [run.lr_scale for run in arm.replicates]
        for arm in found.study.of(found.settings.careful)
        if any(run.lr_scale != 1 for run in arm.replicates)
    }
    for name, scales in adapted.items():
        listing = ", ".join(f"{scale:.2f}" for scale in scales)
        text += (
            f" {code(name)} adapts to how far pruning moved each replicate: drawn at the mean of "
            f"its scales ({listing})."
        )
    return text


def _figure(name: str, title: str, caption: str) -> str:
    return f"![{title}](figures/{name}.svg)\n\n*{title}.* {caption}"
