"""What becomes of every stage in a run, and why.

Behind a stage that runs, another runs only if what it depends on changes. A pipeline may know more:
what some stages will write (`Future`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from dvc.dependency import Dependency, ParamsDependency
from dvc.exceptions import DvcException
from dvc.stage import Stage
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta

from stages.runner.dvc.pipeline import Pipeline, faults

CHANGED = "changed"
STATUS = {"deleted": "missing", "modified": CHANGED, "not in cache": "missing from DVC's cache"}
"""DVC's words for the state of a file, and ours."""
ABSENT = object()
LONGEST = 40


@dataclass(frozen=True)
class Forecast:
    """What becomes of a stage, and why.

    It "runs", is "restored" from DVC's cache, "may run", or is up to date: "".
    """

    stage: str
    verdict: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Future:
    """What is known of outputs before the stages run that write them.

    The values of files of parameters, by path and key, and what to say of a key that changes; the
    MD5 of other outputs, by path. `seconds` returns how long stages would take, by name, on so many
    cores; it is asked where earlier runs do not tell.
    """

    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    causes: Mapping[str, list[str]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    seconds: Callable[[int], Mapping[str, float]] = lambda cores: {}


def forecasts(pipeline: Pipeline, future: Future) -> list[Forecast]:
    """Return what becomes of the stages that are not up to date, in the order of `dvc repro`."""
    found: dict[str, Forecast] = {}
    with pipeline.held(), faults():
        for name, stage in pipeline.stages.items():
            before = [other for other in sorted(pipeline.needs[name]) if found[other].verdict]
            written = {str(out): other for other in before for out in pipeline.stages[other].outs}
            found[name] = forecast(stage, written, future)
    return [each for each in found.values() if each.verdict]


def forecast(stage: Stage, written: Mapping[str, str], future: Future) -> Forecast:
    """Return what becomes of a stage.

    `written` names the stages before it that may change their outputs, by the outputs' paths.
    """
    known = {*future.params, *future.outputs}
    behind = [
        (dep, {written[path] for path in written.keys() - known if _overlap(str(dep), path)})
        for dep in ([] if stage.frozen else stage.deps)
    ]
    before = set().union(*(names for _, names in behind))
    changes = [
        line for dep, names in behind if not names for line in _changes(dep, written, future)
    ]
    reasons = [*_own_reasons(stage), *changes]
    if not any(out.hash_info for out in stage.outs):
        reasons = ["it never ran"]
    if reasons:
        restored = not before and _is_cached(stage, written, future, changed=bool(changes))
        return Forecast(stage.addressing, "restored" if restored else "runs", tuple(reasons))
    if before:
        reasons = [f"if the outputs of {', '.join(sorted(before))} change"]
        return Forecast(stage.addressing, "may run", tuple(reasons))
    return Forecast(stage.addressing, "")


def differences(key: str, old: Any, new: Any) -> Iterator[str]:
    """Yield the keys at which two values differ, and how."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}, key=str):
            yield from differences(
                f"{key}.{name}" if key else name, old.get(name, ABSENT), new.get(name, ABSENT)
            )
    elif ABSENT in (old, new):
        yield f"{key}: {'added' if old is ABSENT else 'removed'}"
    else:
        yield f"{key}: {_short(old)} -> {_short(new)}"


def _own_reasons(stage: Stage) -> Iterator[str]:
    """Yield why a stage runs whatever it depends on."""
    if stage.is_callback or stage.always_changed:
        yield "it always runs"
    if stage.changed_stage():
        yield "its command changed"
    for out in stage.outs:
        for word in out.status().values():
            yield f"{out}: {STATUS.get(word, word)}"


def _changes(dep: Dependency, written: Mapping[str, str], future: Future) -> Iterator[str]:
    """Yield how a dependency will differ from the one that the stage last ran with."""
    recorded = dep.hash_info.value
    if isinstance(dep, ParamsDependency):
        for line in differences("", recorded or {}, _params(dep, future)):
            key = line.partition(":")[0]
            causes = ", ".join(future.causes.get(key, ())) or CHANGED
            yield f"{key}: {causes}" if str(dep) in future.params else line
    elif str(dep) in written:
        if recorded != future.outputs[str(dep)]:
            yield f"{dep}: {CHANGED}"
    else:
        for word in dep.status().values():
            yield f"{dep}: {STATUS.get(word, word)}"


def _params(dep: ParamsDependency, future: Future) -> dict[str, Any]:
    if str(dep) in future.params:
        values = future.params[str(dep)]
        return {key: values[key] for key in dep.params if key in values}
    return dict(dep.read_params())


def _is_cached(stage: Stage, written: Mapping[str, str], future: Future, changed: bool) -> bool:
    """Whether DVC's cache holds what a stage makes of its dependencies as they will be."""
    try:
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                dep.hash_info = HashInfo(dep.PARAM_PARAMS, _params(dep, future))  # type: ignore[arg-type]
            elif str(dep) in written:
                dep.hash_info, dep.meta = HashInfo("md5", future.outputs[str(dep)]), Meta()
            else:
                dep.save()
        for out in stage.outs if changed else ():
            out.hash_info = HashInfo()  # or DVC would restore the outputs that dvc.lock names
        stage.repo.stage_cache.restore(stage, dry=True)
    except (DvcException, FileNotFoundError):
        return False
    return True


def _overlap(path: str, other: str) -> bool:
    """Whether one of two paths is the other or lies in it."""
    return PurePath(path).is_relative_to(other) or PurePath(other).is_relative_to(path)


def _short(value: Any) -> str:
    text = f"{value}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
