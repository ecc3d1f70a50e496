"""The table of every case that a section of the page of all studies rests on."""

from collections.abc import Mapping, Sequence

from stages.reporting.studies.contrasts import Contrast, distinct
from stages.reporting.studies.roles import NAMES
from stages.reporting.studies.words import Words
from stages.reporting.tables import folded, markdown, with_interval
from stages.reporting.words import code, decimal


def case_table(
    what: str, header: tuple[str, str, str], found: Mapping[str, Sequence[Contrast]], words: Words
) -> str:
    """List contrasts by role, the same arms once; folded away under how many they are of `what`.

    `header` names the columns of the role, of the difference and of the verdict on it, in `words`.
    """
    role, difference, verdict = header
    columns = ["Study", "Method", role, "Kept, %", "Epochs", "Of the dense run's, %", "n"]
    rows = [_row(name, one, words) for name, each in found.items() for one in distinct(each)]
    table = markdown([*columns, difference, verdict], rows, left=3)
    return folded(f"All {len(rows)} {what}", table)


def _row(role: str, one: Contrast, words: Words) -> list[str]:
    return [
        code(one.study.name),
        code(one.case.method),
        NAMES[role],
        f"{one.kept:.1f}",
        decimal(one.case.epochs),
        f"{one.budget:.0f}",
        str(len(one.points)),
        with_interval(one.estimate),
        words[one.verdict],
    ]
