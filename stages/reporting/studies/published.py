"""What papers report, and beside it what our studies of the same settings found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from stages.pipeline.params import parse, read_yaml
from stages.pipeline.section import Section
from stages.reporting.studies.agreement import Recomputed
from stages.reporting.studies.kept import Kept
from stages.reporting.tables import folded, markdown, with_interval
from stages.reporting.words import code, signed
from stages.statistics.estimates import Estimate, estimate

FILE = Path(__file__).parent / "published.yaml"
TITLE = "Beside the published numbers"
HEADER = ("Schedule", "Epochs", "Published", "Ours", "Ours − published", "n", "Study")
NOT_RUN = "not run"


class Network(Section):
    """A network by its function, with the options that it has by default."""

    factory: str
    options: dict[str, Any]


class Published(Section):
    """A table or a line of a figure: `values` by schedule, one for each of `epochs`.

    The other keys say which of our studies has the same settings, by entries of params.yaml; a
    table without `schedules` can be held against none. `hidden` are the epochs of values that were
    read off with less certainty.
    """

    paper: str
    what: str
    source: str
    measure: Literal["to_dense", "test"]
    epochs: tuple[int, ...]
    values: dict[str, list[float]]
    hidden: dict[str, list[int]] = Field(default_factory=dict)
    preset: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    network: Network | None = None
    dense_epochs: int | None = None
    method: dict[str, Any] = Field(default_factory=dict)
    schedules: dict[str, dict[str, Any]] = Field(default_factory=dict)


class File(Section):
    """The whole file."""

    tables: tuple[Published, ...]


@dataclass(frozen=True)
class Cell:
    """A published value, and ours with the study it is from; None where no study has it."""

    schedule: str
    epochs: int
    published: float
    ours: Estimate | None = None
    study: Kept | None = None


def published() -> tuple[Published, ...]:
    """Read all published values."""
    file: File = parse(File, read_yaml(FILE), file=FILE)
    return file.tables


def text(studies: Sequence[Kept]) -> str:
    """Every published table, ours beside it."""
    how = (
        "A study of ours stands beside a value where its data, network, pruning method, dense "
        "epochs, schedule and budget are the paper's. Intervals are those of our mean alone: how "
        "far the paper's own trials scatter is not part of these values, so that a difference of a "
        "few tenths of a point is no contradiction."
    )
    return "\n\n".join([how, *(_table(table, studies) for table in published())])


def cells(table: Published, studies: Sequence[Kept]) -> Iterator[Cell]:
    """Yield each value of a table, once for every study that has it, or once without one."""
    alike = [study for study in studies if same_network(table, study)]
    for schedule, values in table.values.items():
        for epochs, value in zip(table.epochs, values, strict=True):
            found = [
                Cell(schedule, epochs, value, _ours(table, study, *arm), study)
                for study in alike
                for arm in arms_of(table, study, schedule, epochs)
            ]
            yield from found or [Cell(schedule, epochs, value)]


def same_network(table: Published, study: Kept) -> bool:
    """Whether a study trains the dense networks of a table, as far as the table says."""
    data, model = study.dense["data"], study.dense["model"]
    if table.network is None or any(f"{part}_limit" in data for part in ("train", "test")):
        return False
    options = {**table.network.options, **(model.get("options") or {})}
    return (
        all(data.get(key) == value for key, value in table.data.items())
        and (model["factory"], options) == (table.network.factory, table.network.options)
        and study.dense_epochs == table.dense_epochs
    )


def arms_of(table: Published, study: Kept, schedule: str, epochs: int) -> Iterator[tuple[str, str]]:
    """Yield the arms of a study, by method and schedule, that a value is of."""
    wanted = table.schedules.get(schedule)
    for (method, name), budget in Recomputed(study).epochs.items():
        entry = {key: value for key, value in study.schedules[name].items() if key != "epochs"}
        same = (study.methods[method], {"start": "final", **entry})
        if wanted and budget == epochs and same == (table.method, {"start": "final", **wanted}):
            yield method, name


def _ours(table: Published, study: Kept, method: str, schedule: str) -> Estimate:
    found = Recomputed(study)
    if table.measure == "test":
        return estimate(found.values(method, schedule), found.confidence)
    return found.to_dense(method, schedule)


def _table(table: Published, studies: Sequence[Kept]) -> str:
    found = list(cells(table, studies))
    run = len({(cell.schedule, cell.epochs) for cell in found if cell.study})
    all_of = sum(map(len, table.values.values()))
    preset = f"; `afterprune preset {table.preset}` has its settings" if table.preset else ""
    unknown = "" if table.schedules else " No arm of ours is known to have the same settings."
    body = f"Source: {table.source}{preset}.{unknown}"
    rows = [_row(table, cell) for cell in found]
    summary = f"{table.paper}: {table.what} ({run} of {all_of} run)"
    return folded(summary, f"{body}\n\n{markdown(HEADER, rows)}")


def _row(table: Published, cell: Cell) -> list[str]:
    write = signed if table.measure == "to_dense" else "{:.2f}".format
    rough = "~" if cell.epochs in table.hidden.get(cell.schedule, ()) else ""
    head = [code(cell.schedule), str(cell.epochs), f"{rough}{write(cell.published)}"]
    if cell.ours is None or cell.study is None:
        return [*head, NOT_RUN, "–", "–", "–"]
    ours, study = cell.ours, cell.study
    shift = -cell.published
    gap = Estimate(ours.mean + shift, ours.sd, ours.n, ours.low + shift, ours.high + shift)
    mean = write(ours.mean) if ours.known else "diverged"
    return [*head, mean, with_interval(gap), str(ours.n), f"[{study.name}]({study.page})"]
