"""The cases of the runner: a study, trivial stages, and nothing to do, against `dvc repro`."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import matrix
from tests.benchmarks.noop import REPRO, idle_seconds, timed, tiny_study
from tests.benchmarks.ratios import Pair, Row, Values, alternate, compare
from tests.benchmarks.study import fresh_study
from tests.pipeline.project import Project
from tests.runner.twins import RUNNER, make

RUN = (*RUNNER, "--workers", "2")
RUN_STUDY = ("python", "-m", "stages.commands", "run", "--workers", "2")
RUNS, REPROS, SHELL, ALLOWED = "runner", "dvc repro", "plain sh", "0.1 s a stage"
SLOW = 50
"""The most stages that `dvc repro` takes a turn with: its time grows with their square."""
IDLE = (50, 300)
ALL_UNCHANGED = r"^\d+ unchanged\n$"


def runner_study(rounds: int) -> list[Row]:
    """Compare the study of params.yaml from nothing by two workers with `dvc repro`."""
    turns = {RUNS: partial(_study_seconds, RUN_STUDY), REPROS: partial(_study_seconds, REPRO)}
    values = alternate(turns, rounds, "runner-study")
    return compare("runner-study", "", "s", values, [Pair(RUNS, REPROS, "<= 0.50")])


def runner_stages(rounds: int) -> list[Row]:
    """Compare pipelines of trivial stages with what they may take, and with their commands alone.

    A key of params.yaml is one for all stages, or one for each.
    """
    every = [(number, own_keys) for number in matrix.AXES for own_keys in (False, True)]
    return [row for number, own_keys in every for row in stages(number, own_keys, rounds)]


def runner_noop(rounds: int) -> list[Row]:
    """Compare the runner with `dvc repro` where neither has anything to do."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = _idle("tiny study", tiny_study(folder / "study"), RUN_STUDY, rounds)
        for number in IDLE:
            rows += _idle(f"{number} stages", _finished(folder, number), RUN, rounds)
        return rows


def stages(number: int, own_keys: bool, rounds: int) -> list[Row]:
    """Compare the runner on so many stages, each turn from nothing."""
    setting = f"{number} stages, {f'{number} keys' if own_keys else 'one key'}"
    lengths = matrix.AXES[number]
    commands = {RUNS: RUN, SHELL: ("sh", "-c", matrix.script(lengths))}
    if number <= SLOW:
        commands[REPROS] = REPRO
    with TemporaryDirectory() as folder:
        made = make(Path(folder) / "made", matrix.files(lengths, own_keys=own_keys))
        turns = {name: partial(_copy_seconds, made, words) for name, words in commands.items()}
        values = alternate(turns, rounds, f"runner-stages {setting}")
    return stage_rows(setting, number, {**values, ALLOWED: [0.1 * number] * rounds})


def stage_rows(setting: str, number: int, values: Values) -> list[Row]:
    """Return the ratios of seconds, and what a stage takes beside what its command alone takes."""
    each = {name: [1000 * value / number for value in values[name]] for name in (RUNS, SHELL)}
    pairs = [Pair(RUNS, ALLOWED, "<= 1.00")]
    if REPROS in values:
        pairs.append(Pair(RUNS, REPROS, "<= 0.50"))
    return [
        *compare("runner-stages", setting, "s", values, pairs),
        *compare("runner-stages", setting, "ms a stage", each, [Pair(RUNS, SHELL)]),
    ]


def _idle(setting: str, project: Project, run: Sequence[str], rounds: int) -> list[Row]:
    turns = {
        RUNS: partial(idle_seconds, project, run, ALL_UNCHANGED),
        REPROS: partial(idle_seconds, project),
    }
    values = alternate(turns, rounds, f"runner-noop {setting}")
    return compare("runner-noop", setting, "s", values, [Pair(RUNS, REPROS, "<= 1.20")])


def _finished(folder: Path, number: int) -> Project:
    project = make(folder / f"{number}", matrix.files(matrix.AXES[number]))
    project.run(*RUN)
    project.commit("results")
    return project


def _study_seconds(command: Sequence[str]) -> float:
    with TemporaryDirectory() as folder:
        return timed(fresh_study(Path(folder)), command)[0]


def _copy_seconds(project: Project, command: Sequence[str]) -> float:
    with TemporaryDirectory() as folder:
        return timed(project.copy(Path(folder) / "copy"), command)[0]
