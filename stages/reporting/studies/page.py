"""The page that joins all studies: what each is, what they say of the claims, who wins."""

from collections.abc import Sequence

from stages.pipeline.fault import Fault
from stages.reporting.studies import (
    answers,
    claims,
    criterion,
    leads,
    meetings,
    published,
    tuning,
    wins,
)
from stages.reporting.studies.answers import Answers
from stages.reporting.studies.kept import Kept
from stages.reporting.tables import markdown, mean_sd
from stages.reporting.words import code, level, listed, span

HEAD = """# All studies together

Written by `afterprune studies`, and by `afterprune keep`, from the tables of the studies alone. \
Accuracies are top-1 on test data after the last epoch, in percent; differences are in points."""
FIGURE = "figures/leads.svg"
FIGURE_SAYS = "One-cycle's lead over fine-tuning and over the best other constant rate, by data"
FIGURE_HOW = (
    "Means over seeds, methods and budgets with t-intervals; beyond one point the axis is "
    "logarithmic. [How to read this](#how-to-read-this) says how sets of networks are joined."
)


def page(found: Answers, left_out: Sequence[str]) -> str:
    """The page as Markdown; `left_out` are the reasons why studies are not on it.

    A Fault where two studies have one name: their contests and claims would be taken for one's.
    """
    studies = found.studies
    names = [study.name for study in studies]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise Fault(f"two studies are called {listed(twice)}; each takes a name of its own")
    parts = [HEAD]
    if left_out:
        parts.append("\n".join(["Left out:", "", *(f"- {reason}" for reason in left_out)]))
    if not studies:
        return "\n\n".join([*parts, "There is no study to join.\n"])
    return (
        "\n\n".join(
            [
                *parts,
                f"## {answers.TITLE}",
                found.said,
                f"![{FIGURE_SAYS}]({FIGURE})",
                FIGURE_HOW,
                "## The studies",
                _overview(studies),
                f"## {wins.TITLE}",
                wins.text(studies),
                f"## {meetings.TITLE}",
                meetings.text(found.cases, found.confidence, found.margin),
                f"## {leads.TITLE}",
                leads.text(found.leads, found.confidence, found.margin),
                f"## {tuning.TITLE}",
                tuning.text(found.shares),
                f"## {criterion.TITLE}",
                criterion.text(found.gains, found.confidence, found.margin),
                "## Claims of the literature",
                claims.text(studies),
                f"## {published.TITLE}",
                published.text(studies),
                "## How to read this",
                _how(studies),
            ]
        )
        + "\n"
    )


def _overview(studies: Sequence[Kept]) -> str:
    header = ["Study", "What it is", "Data", "Network", "Methods", "Kept, %", "Epochs", "n"]
    return markdown([*header, "Dense, %"], map(_row, studies), left=5)


def _row(study: Kept) -> list[str]:
    arms, runs = study.tables["arms"], study.tables["replicates"]
    methods = list(dict.fromkeys(arms.method))
    dense = runs.drop_duplicates("seed").dense_test_top1_percent
    return [
        f"[{study.name}]({study.page})",
        study.title.replace("|", "\\|"),
        study.data,
        study.network,
        listed([code(name) for name in methods]) if len(methods) < 4 else str(len(methods)),
        span(arms.parameters_kept_percent, ".1f"),
        span(arms.epochs, "g"),
        str(runs.seed.nunique()),
        mean_sd(dense),
    ]


def _how(studies: Sequence[Kept]) -> str:
    confidence = sorted({study.compare.confidence for study in studies})
    looks = ", or of its look" if any(study.compare.looks for study in studies) else ""
    margins = sorted({study.compare.margin for study in studies})
    return "\n".join(
        [
            "- **Studies** are joined as they were kept: each verdict is the one that its study "
            f"reached, with intervals of its own level ({listed([level(c) for c in confidence])}"
            f"{looks}) and its own margin ({listed([f'{m:g}' for m in margins])} points), "
            "paired by seed.",
            "- **Repeat** is the chance that a study of as many new replicates says the same of "
            "that difference, if its mean and scatter are as they look.",
            "- **Wins**: the paired interval lies above 0 against every rival of the contest. "
            "**Highest**: of the highest mean, winner or not. **In the best set**: the winner, or "
            "one of the arms among which the best is.",
            "- **Sets**: studies that train the same dense networks are one, by the seeds that all "
            "of them have; a study that would leave fewer than four of these is left out. The same "
            "arms of several studies count once. What is said of all sets is the mean of their "
            "interquartile means over seeds, every set counting the same, with an interval of a "
            "stratified bootstrap over seeds (Agarwal et al. 2021): other networks and data may "
            "differ more, and intervals of eight seeds cover a little less than they say. It is "
            "decided with six seeds or more, four of every set. Figures and shares are of means, "
            "which a few seeds can pull to the other side of 0.",
            "- **Roles** are played by what an entry says, not by its name: one-cycle up to the "
            "dense run's peak; fine-tuning at that run's last rate, or else at the smallest "
            "constant one; of the others that a study tried, the best on validation data; "
            "learning-rate rewinding, which replays the dense run's last rates; the scaled "
            "schedule. All start from the last weights and change nothing but the rates.",
            "- Elsewhere schedules are joined by name, those that differ in their epochs alone "
            "under one.",
        ]
    )
