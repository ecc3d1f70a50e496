"""What papers report, and beside it what our studies of the same settings found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from stages.pipeline.params import parse, read_yaml
from stages.pipeline.section import Section
from stages.reporting.studies.agreement import Recomputed
from stages.reporting.studies.forms import Form, dense_form, method_form, schedule_form
from stages.reporting.studies.kept import Kept
from stages.reporting.tables import folded, markdown, with_interval
from stages.reporting.words import code, signed
from stages.statistics.estimates import Estimate, estimate

FILE = Path(__file__).parent / "published.yaml"
TITLE = "Beside the published numbers"
HEADER = ("Schedule", "Epochs", "Published", "Ours", "Ours − published", "n", "Study")
NOT_RUN = "not run"
Epochs = int | Literal["dense_macs"]
"""A budget, or the word in params.yaml for one that depends on what pruning leaves."""


class Network(Section):
    """A network by its function, with the options that it has by default."""

    factory: str
    options: dict[str, Any]


class Published(Section):
    """A table or a line of a figure: `values` by schedule, one or null for each of `epochs`.

    `spreads` are the paper's own standard deviations, where it has them; `hidden` are the epochs of
    values that were read off with less certainty. The other keys say which of our studies has the
    same settings, by entries of params.yaml; a run of `preset` has all of them.
    """

    paper: str
    what: str
    source: str
    measure: Literal["to_dense", "test"]
    epochs: tuple[Epochs, ...]
    values: dict[str, list[float | None]]
    spreads: dict[str, list[float | None]] = Field(default_factory=dict)
    hidden: dict[str, list[int]] = Field(default_factory=dict)
    preset: str
    data: dict[str, Any]
    network: Network
    train: dict[str, Any]
    method: dict[str, Any]
    schedules: dict[str, dict[str, Any]]


class File(Section):
    """The whole file."""

    tables: tuple[Published, ...]


@dataclass(frozen=True)
class Cell:
    """A published value, and ours with the study it is from; None where no study has it."""

    schedule: str
    epochs: Epochs
    published: float
    spread: float | None = None
    ours: Estimate | None = None
    study: Kept | None = None


def published() -> tuple[Published, ...]:
    """Read all published values."""
    file: File = parse(File, read_yaml(FILE), file=FILE)
    return file.tables


def text(studies: Sequence[Kept]) -> str:
    """Every published table, ours beside it."""
    how = (
        "A study of ours stands beside a value where its data, network, dense training, pruning "
        "method, schedule and budget are the paper's; a budget of `dense_macs` costs what dense "
        "training did. ± is the paper's own standard deviation, where it has one. Intervals are "
        "those of our mean alone: how far the paper's mean may be off is not part of them, so that "
        "a difference of a few tenths of a point is no contradiction."
    )
    return "\n\n".join([how, *(_table(table, studies) for table in published())])


def cells(table: Published, studies: Sequence[Kept]) -> Iterator[Cell]:
    """Yield each value of a table, once for every study that has it, or once without one."""
    alike = [study for study in studies if same_network(table, study.dense_form)]
    for schedule, values in table.values.items():
        spreads = table.spreads.get(schedule, [None] * len(values))
        for epochs, value, spread in zip(table.epochs, values, spreads, strict=True):
            if value is None:
                continue
            found = [
                Cell(schedule, epochs, value, spread, _ours(table, study, *arm), study)
                for study in alike
                for arm in _arms(table, study, schedule, epochs)
            ]
            yield from found or [Cell(schedule, epochs, value, spread)]


def same_network(table: Published, form: Form) -> bool:
    """Whether the dense networks of a form (see `dense_form`) are those of a table.

    The network is one of the project's own, whatever options of it are written out; the seed of a
    split that holds nothing out changes nothing.
    """
    data, model, train = (dict(form[group]) for group in ("data", "model", "train"))
    options = {**table.network.options, **model["options"]}
    network = {"code": model["code"], "factory": table.network.factory, "options": options}
    given = {"data": table.data, "model": network, "train": {**table.train, "checkpoint_every": 1}}
    wanted = dense_form(given, FILE)
    return (
        model["code"].startswith("stages/models/")
        and options == table.network.options
        and {**data, "seed": 0} == {**wanted["data"], "seed": 0}
        and {**model, "options": options} == wanted["model"]
        and train == wanted["train"]
    )


def same_schedule(
    table: Published, schedule: str, epochs: Epochs, entry: Mapping[str, Any], budget: float
) -> bool:
    """Whether an entry of `retrain.schedules`, with its budget in epochs, is that of a value."""
    peak = table.train["lr"]
    wanted = schedule_form(table.schedules[schedule], peak, schedule, FILE)
    length = entry.get("epochs") if isinstance(epochs, str) else budget
    return schedule_form(entry, peak) == wanted and length == epochs


def _arms(
    table: Published, study: Kept, schedule: str, epochs: Epochs
) -> Iterator[tuple[str, str]]:
    """Yield the arms of a study, by method and schedule, that a value is of."""
    for (method, name), budget in Recomputed(study).epochs.items():
        if study.method_forms[method] == method_form(table.method) and same_schedule(
            table, schedule, epochs, study.schedules[name], budget
        ):
            yield method, name


def _ours(table: Published, study: Kept, method: str, schedule: str) -> Estimate:
    found = Recomputed(study)
    if table.measure == "test":
        return estimate(found.values(method, schedule), found.confidence)
    return found.to_dense(method, schedule)


def _table(table: Published, studies: Sequence[Kept]) -> str:
    found = list(cells(table, studies))
    run = len({(cell.schedule, cell.epochs) for cell in found if cell.study})
    all_of = len({(cell.schedule, cell.epochs) for cell in found})
    body = f"Source: {table.source}; `afterprune preset {table.preset}` has its settings."
    rows = [_row(table, cell) for cell in found]
    summary = f"{table.paper}: {table.what} ({run} of {all_of} run)"
    return folded(summary, f"{body}\n\n{markdown(HEADER, rows)}")


def _row(table: Published, cell: Cell) -> list[str]:
    write = signed if table.measure == "to_dense" else "{:.2f}".format
    rough = "~" if cell.epochs in table.hidden.get(cell.schedule, ()) else ""
    spread = "" if cell.spread is None else f" ± {cell.spread:.2f}"
    epochs = code(cell.epochs) if isinstance(cell.epochs, str) else str(cell.epochs)
    head = [code(cell.schedule), epochs, f"{rough}{write(cell.published)}{spread}"]
    if cell.ours is None or cell.study is None:
        return [*head, NOT_RUN, "–", "–", "–"]
    ours, study = cell.ours, cell.study
    shift = -cell.published
    gap = Estimate(ours.mean + shift, ours.sd, ours.n, ours.low + shift, ours.high + shift)
    mean = write(ours.mean) if ours.known else "diverged"
    return [*head, mean, with_interval(gap), str(ours.n), f"[{study.name}]({study.page})"]
