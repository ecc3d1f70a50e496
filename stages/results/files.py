"""Reading and writing the results of a study: which files are missing, which are stale."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json, write_json
from stages.pipeline.params import printable
from stages.results.records import ArmResult, DenseResult, PrunedResult, Record

DIGITS = 6
"""Decimals of the result files in git."""
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Results:
    """Every arm by (method, schedule), every method's pruned networks, and the dense networks."""

    arms: Mapping[tuple[str, str], ArmResult]
    pruned: Mapping[str, PrunedResult]
    dense: DenseResult

    @property
    def methods(self) -> list[str]:
        """The pruning methods, in the order of params.yaml."""
        return list(self.pruned)

    @property
    def schedules(self) -> list[str]:
        """The retraining schedules, in the order of params.yaml."""
        return list(dict.fromkeys(schedule for _, schedule in self.arms))

    def of(self, method: str) -> list[ArmResult]:
        """The arms of one method, in the order of params.yaml."""
        return [arm for (name, _), arm in self.arms.items() if name == method]


def repeated(results: Results) -> bool:
    """Whether some arm has several replicates."""
    return any(len(arm.seeds) > 1 for arm in results.arms.values())


def read_results(folder: Path, methods: Iterable[str], schedules: Iterable[str]) -> Results:
    """Read all results below `folder`; a Fault names every file that is missing."""
    methods, schedules = list(methods), list(schedules)
    pairs = [(method, schedule) for method in methods for schedule in schedules]
    files = {"evaluate_dense": dense_path(folder)}
    files |= {f"evaluate_pruned@{method}": pruned_path(folder, method) for method in methods}
    files |= {f"evaluate@{m}-{s}": arm_path(folder, m, s) for m, s in pairs}
    _require(files)
    return Results(
        {(m, s): read_arm(folder, m, s) for m, s in pairs},
        {method: read_pruned(folder, method) for method in methods},
        read_dense(folder),
    )


def read_arm(folder: Path, method: str, schedule: str) -> ArmResult:
    """Read one arm; a Fault when the file is missing, malformed or another arm's."""
    path = arm_path(folder, method, schedule)
    _require({f"evaluate@{method}-{schedule}": path})
    arm = _parse(path, ArmResult)
    if (arm.method, arm.schedule) != (method, schedule):
        held = printable(f"{arm.method}-{arm.schedule}")
        raise Fault(f"{path}: holds the arm {held}, not {method}-{schedule}")
    return arm


def read_pruned(folder: Path, method: str) -> PrunedResult:
    """Read one method's pruned networks; a Fault as for `read_arm`."""
    path = pruned_path(folder, method)
    _require({f"evaluate_pruned@{method}": path})
    pruned = _parse(path, PrunedResult)
    if pruned.method != method:
        raise Fault(f"{path}: holds the method {printable(pruned.method)}, not {method}")
    return pruned


def read_dense(folder: Path) -> DenseResult:
    """Read the dense networks; a Fault as for `read_arm`."""
    _require({"evaluate_dense": dense_path(folder)})
    return _parse(dense_path(folder), DenseResult)


def write_result(path: Path, record: Record) -> None:
    """Write a result file: sorted JSON, floats rounded to DIGITS decimals."""
    write_json(path, record.model_dump(), DIGITS)


def remove_stale(folder: Path, methods: Iterable[str], schedules: Iterable[str]) -> list[Path]:
    """Delete results below `folder` that no current method or arm produces, and empty folders."""
    methods, schedules = list(methods), list(schedules)
    current = {pruned_path(folder, method) for method in methods}
    current |= {arm_path(folder, m, s) for m in methods for s in schedules}
    found = {*folder.glob("arms/*/*.json"), *folder.glob("pruned/*.json")}
    stale = sorted(found - current)
    for path in stale:
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return stale


def arm_path(folder: Path, method: str, schedule: str) -> Path:
    """Where `evaluate` writes an arm."""
    return folder / "arms" / method / f"{schedule}.json"


def pruned_path(folder: Path, method: str) -> Path:
    """Where `evaluate_pruned` writes a method."""
    return folder / "pruned" / f"{method}.json"


def dense_path(folder: Path) -> Path:
    """Where `evaluate_dense` writes the dense networks."""
    return folder / "dense.json"


def _require(files: Mapping[str, Path]) -> None:
    missing = {stage: path for stage, path in files.items() if not path.is_file()}
    if missing:
        paths = ", ".join(str(path) for path in missing.values())
        raise Fault(f"{paths}: missing; run `dvc repro {' '.join(missing)}`")


def _parse(path: Path, kind: type[R]) -> R:
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = [printable(".".join(map(str, first["loc"])))] if first["loc"] else []
        raise Fault(": ".join([f"{path}", *place, first["msg"]])) from None
