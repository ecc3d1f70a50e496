"""Reading the results of a study: which files are missing, which are stale."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from stages.fault import Fault
from stages.files import read_json
from stages.reporting.records import Arm, Baseline, Record


@dataclass(frozen=True)
class Study:
    """Every arm, by (method, schedule), and every method's dense and pruned network."""

    arms: Mapping[tuple[str, str], Arm]
    baselines: Mapping[str, Baseline]

    @property
    def methods(self) -> list[str]:
        """The pruning methods, in the order of params.yaml."""
        return list(self.baselines)

    @property
    def schedules(self) -> list[str]:
        """The retraining schedules, in the order of params.yaml."""
        return list(dict.fromkeys(schedule for _, schedule in self.arms))

    def of(self, method: str) -> list[Arm]:
        """The arms of one method, in the order of params.yaml."""
        return [arm for (name, _), arm in self.arms.items() if name == method]


def repeated(study: Study) -> bool:
    """Whether some arm has several replicates."""
    return any(len(arm.replicates) > 1 for arm in study.arms.values())


def read_study(folder: Path, methods: Iterable[str], schedules: Iterable[str]) -> Study:
    """Read all arms and baselines below `folder`; a Fault names every file that is missing."""
    methods, schedules = list(methods), list(schedules)
    pairs = [(method, schedule) for method in methods for schedule in schedules]
    files = {f"baseline@{method}": baseline_path(folder, method) for method in methods}
    files |= {f"evaluate@{m}-{s}": arm_path(folder, m, s) for m, s in pairs}
    _require(files)
    return Study(
        {(m, s): read_arm(folder, m, s) for m, s in pairs},
        {method: read_baseline(folder, method) for method in methods},
    )


def read_arm(folder: Path, method: str, schedule: str) -> Arm:
    """Read one arm; a Fault when the file is missing, malformed or another arm's."""
    path = arm_path(folder, method, schedule)
    _require({f"evaluate@{method}-{schedule}": path})
    arm = _parse(path, Arm)
    if (arm.method, arm.schedule) != (method, schedule):
        raise Fault(f"{path}: holds the arm {arm.method}-{arm.schedule}, not {method}-{schedule}")
    return arm


def read_baseline(folder: Path, method: str) -> Baseline:
    """Read one method's dense and pruned network; a Fault as for `read_arm`."""
    path = baseline_path(folder, method)
    _require({f"baseline@{method}": path})
    baseline = _parse(path, Baseline)
    if baseline.method != method:
        raise Fault(f"{path}: holds the method {baseline.method}, not {method}")
    return baseline


def remove_stale(folder: Path, methods: Iterable[str], schedules: Iterable[str]) -> list[Path]:
    """Delete results below `folder` that no current method or arm produces, and empty folders."""
    methods, schedules = list(methods), list(schedules)
    current = {baseline_path(folder, method) for method in methods}
    current |= {arm_path(folder, m, s) for m in methods for s in schedules}
    found = {*folder.glob("arms/*/*.json"), *folder.glob("baselines/*.json")}
    stale = sorted(found - current)
    for path in stale:
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return stale


def arm_path(folder: Path, method: str, schedule: str) -> Path:
    """Where `evaluate` writes an arm."""
    return folder / "arms" / method / f"{schedule}.json"


def baseline_path(folder: Path, method: str) -> Path:
    """Where `baseline` writes a method."""
    return folder / "baselines" / f"{method}.json"


def _require(files: Mapping[str, Path]) -> None:
    missing = {stage: path for stage, path in files.items() if not path.is_file()}
    if missing:
        paths = ", ".join(str(path) for path in missing.values())
        raise Fault(f"{paths}: missing; run `dvc repro {' '.join(missing)}`")


T = TypeVar("T", bound=Record)


def _parse(path: Path, kind: type[T]) -> T:
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Fault(f"{path}: {place}: {first['msg']}") from None
