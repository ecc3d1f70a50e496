"""DVC's graph, and its cache, lock files and rwlock as `dvc repro` leaves them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from dvc.dependency import param
from dvc.dvcfile import PROJECT_FILE
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage.cache import RunCacheNotFoundError
from dvc.stage.run import _enforce_cmd_list, _make_cmd, get_executable, prepare_kwargs

from stages.pipeline.fault import Fault
from stages.runner.dvc.locks import Locks
from stages.runner.dvc.memory import remember
from stages.runner.dvc.order import arrange, edges, lock_order, resumed, write_down

BARS = ("dvc.progress", "dvc_data.callbacks")
"""The modules of DVC's progress bars, which show at the level of errors of their loggers."""
EMPTY = "'%s' is empty."
"""DVC's warning of an output of a stage that holds nothing, a folder or a file."""
Prepared = Literal["unchanged", "verified", "restored", "ready"]


@dataclass(frozen=True)
class Command:
    """What a stage executes: argument lists one after another, where, and with which variables.

    To run it again, `outputs` are to be removed.
    """

    calls: list[list[str]]
    folder: str
    environment: dict[str, str]
    outputs: Sequence[str] = ()


class Pipeline:
    """The stages that `dvc repro TARGETS` looks at, by name, and the only writer of their results.

    What runs or records a stage is called while `held`, from one thread.
    """

    def __init__(self, targets: Sequence[str] = (), stopped: Callable[[], bool] = bool) -> None:
        """Read the graph; a Fault where DVC would not, `stopped` ends waiting for DVC's lock."""
        _quiet()
        self._lock_files, self._rwlock = remember()
        with faults():
            self._repo = Repo()
            self._stopped = stopped
            self._locks = Locks(self._repo)
            with self.held():
                chosen = self._chosen(targets)
                graph = self._repo.index.graph
                self._plan = plan_repro(get_active_graph(graph), chosen)
                self._meant = Path(self._repo.tmp_dir, "runner", "order.json")
                self._order, unarranged = resumed(self._meant, lock_order(self._plan))
        self.stages = {stage.addressing: stage for stage in self._plan}
        self.needs, self.after = edges(graph, self._plan)
        self._before: dict[str, list[Any]] = {}
        self._recorded: list[Any] = []
        self._written = unarranged

    def _chosen(self, targets: Sequence[str]) -> list[Any]:
        try:
            return list(collect_stages(self._repo, list(targets) or [PROJECT_FILE]))
        except DvcException as error:
            names = [stage.addressing for stage in self._repo.index.stages]
            near = [name for each in targets for name in get_close_matches(each, names, 1)]
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise Fault(f"{error}{hint}") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold DVC's lock of the repository, waiting for it as long as another process does."""
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock_repo(self._repo))
                    break
                except LockError as error:
                    if self._stopped():
                        raise Fault(f"{error}") from error
            stack.enter_context(self._rwlock.once())
            yield

    def prepare(self, name: str) -> Prepared:
        """Restore a stage or leave it ready to run its command, holding its rwlock.

        Frozen stages and those without a command are left to DVC: `verified`.
        """
        stage = self.stages[name]
        with faults():
            if stage.frozen or not stage.cmd:
                return self._verify(stage)
            if not stage.changed():
                return "unchanged"
            self._locks.take(name, stage)
            stage.remove_outs(ignore_remove=False, force=False)
            try:
                self._repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                stage.save_deps()
                self._before[name] = [dep.hash_info for dep in stage.deps]
                return "ready"
            self._save(stage)
            return "restored"

    def meta(self, name: str) -> Any:
        """Return what dvc.yaml says of a stage for other programs: its `meta`."""
        return self.stages[name].meta

    def parameter(self, name: str, key: str) -> Any:
        """Return what a key of the params.yaml beside a stage holds; None where it is not there."""
        path = Path(self.stages[name].wdir, param.ParamsDependency.DEFAULT_PARAMS_FILE)
        if not path.exists():
            return None
        with faults():
            return param.read_param_file(self._repo.fs, str(path), [key], flatten=True).get(key)

    def reset(self) -> set[str]:
        """Return the stages whose settings are not those in dvc.lock, and all that are behind them.

        What a new stage records is not known, and one that depends on the whole of params.yaml
        takes as long with other settings. Neither makes others take longer.
        """
        found: set[str] = set()
        with faults():
            for name, stage in self.stages.items():
                if self.needs[name] & found or any(map(_is_reset, stage.deps)):
                    found.add(name)
        return found

    def command(self, name: str) -> Command:
        """Return what DVC would execute for a stage."""
        stage = self.stages[name]
        options = prepare_kwargs(stage)
        shell = get_executable()
        calls = [_make_cmd(shell, line) for line in _enforce_cmd_list(stage.cmd)]
        outputs = [out.fs_path for out in stage.outs if out.protocol == "local" and not out.persist]
        return Command(calls, options["cwd"], options["env"], outputs)

    def record(self, name: str) -> None:
        """Save what a stage wrote to the cache; a Fault if a dependency changed while it ran."""
        stage = self.stages[name]
        with faults():
            before = self._before.pop(name)
            stage.save_deps()
            pairs = zip(stage.deps, before, strict=True)
            edited = [f"{dep}" for dep, hashed in pairs if dep.hash_info != hashed]
            if edited:
                raise Fault(f"changed while the stage ran: {', '.join(edited)}; nothing recorded")
            self._save(stage)

    def abandon(self, name: str) -> None:
        """Let go of a stage that failed."""
        self._locks.release([name])

    def flush(self) -> None:
        """Write what was recorded to the lock files, one rewrite for each, and free the stages."""
        stages = sorted(self._recorded, key=lambda stage: str(stage.path))
        if stages:
            write_down(self._meant, self._order)
        for path, group in groupby(stages, key=lambda stage: str(stage.path)):
            first, *others = group
            first.dvcfile.dump_stages([first, *others], update_pipeline=False)
            self._written.add(path)
        self._locks.release([stage.addressing for stage in stages])
        self._recorded.clear()

    @property
    def unwritten(self) -> bool:
        """Whether something recorded is in no lock file yet."""
        return bool(self._recorded)

    def finish(self, cut_short: bool = False) -> None:
        """Write the rest, put new entries into DVC's order, and add to git what DVC would.

        One that was `cut_short` may have recorded what DVC would have come to later.
        """
        self.flush()
        self._lock_files.forget()  # an entry read from a file may be written in another form
        for path in self._written & self._order.keys():
            arrange(*self._order[path])
        if not cut_short:  # or the next run would take what is there for DVC's order
            self._meant.unlink(missing_ok=True)
        with self._repo.scm_context(quiet=True):
            pass

    def close(self) -> None:
        """Let go of all stages, whatever happened."""
        self._locks.release()
        self._repo.close()

    def _verify(self, stage: Any) -> Prepared:
        with self._rwlock.directly():
            done = stage.reproduce()
        if done is None:
            return "unchanged"
        self._recorded.append(stage)
        return "verified"

    def _save(self, stage: Any) -> None:
        plain = [out for out in stage.outs if not (out.is_metric or out.is_plot)]
        stage.save(run_cache=all(out.use_cache for out in plain))
        stage.commit()
        self._recorded.append(stage)


def _is_reset(dep: Any) -> bool:
    """Whether a dependency is of keys of a params.yaml that differ from the recorded ones."""
    if not isinstance(dep, param.ParamsDependency) or not dep.params or not dep.hash_info.value:
        return False
    of_settings = Path(f"{dep}").name == dep.DEFAULT_PARAMS_FILE
    return of_settings and bool(dep.hash_info.value != dep.read_params())


def temporary() -> str:
    """Return the folder for what DVC forgets; a Fault outside of a DVC repository."""
    with faults():
        return str(Path(Repo.find_dvc_dir(), "tmp"))


@contextmanager
def faults() -> Iterator[None]:
    """Raise a Fault for whatever DVC raises: as there, it fails one stage and not the run."""
    try:
        yield
    except Fault:
        raise
    except (DvcException, OSError) as error:
        raise Fault(" ".join(f"{error}".split())) from error
    except Exception as error:
        raise Fault(f"{type(error).__name__}: {' '.join(f'{error}'.split())}") from error


def _quiet() -> None:
    """Leave the terminal to the runner: no news and no progress bars, but for one all warnings."""
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in BARS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("dvc.output").addFilter(_tells)


def _tells(record: logging.LogRecord) -> bool:
    """Leave out that a folder is empty, as that of checkpoints is where no arm rewinds."""
    if record.msg != EMPTY or not isinstance(record.args, tuple):
        return True
    return not Path(str(record.args[0])).is_dir()
