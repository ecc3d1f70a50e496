"""A study that is killed again and again, run to its end, and compared."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.pipeline.project import Project
from tests.reliability.kills import IGNORED, KINDS, PATIENCE, orphans, strike
from tests.reliability.residue import leftovers, mismatches
from tests.reliability.session import Session, family_of

CUT_OFF = re.compile(r"dvc\.lock.*(validation failed|corrupted)")
"""What DVC says of a dvc.lock that it was killed at writing; docs/crashes.md says to remove it."""
Target = tuple[str, str]
"""The name of a stage without its matrix items, and a kind of kill."""


@dataclass
class Report:
    """What was done and found."""

    kills: Counter[Target] = field(default_factory=Counter)
    missed: int = 0
    resumed: int = 0
    cut_off: int = 0
    orphans: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def found(self) -> list[str]:
        """Return lines that say what was found."""
        return [
            line
            for name in ("orphans", "leftovers", "mismatches", "failures")
            for line in (f"{len(getattr(self, name))} {name}", *getattr(self, name))
        ]

    @property
    def sound(self) -> bool:
        """Whether nothing was found that should not be."""
        return not (self.orphans or self.leftovers or self.mismatches or self.failures)


@dataclass
class Trial:
    """Kills of one runner's runs; `undisturbed` is a study that it has finished."""

    pristine: Project
    undisturbed: Project
    runner: str
    usual: Mapping[str, float]
    chance: random.Random
    report: Report = field(default_factory=Report)

    def run(self, kills: int) -> Report:
        """Kill so many times, in as many studies as that takes: each stage as often as others."""
        waiting = list(self._targets(kills))
        for _ in range(kills):
            if not waiting:
                break
            waiting = self._study(waiting)
        self.report.failures += [f"{stage} was never seen running" for stage, _ in waiting]
        return self.report

    def _targets(self, kills: int) -> Iterator[Target]:
        stages, kinds = sorted(set(map(family_of, self.usual))), list(KINDS)
        for number in range(kills):
            if number % len(stages) == 0:
                self.chance.shuffle(stages)
            if number % len(kinds) == 0:
                self.chance.shuffle(kinds)
            yield stages[number % len(stages)], kinds[number % len(kinds)]

    def _study(self, targets: list[Target]) -> list[Target]:
        """Kill a fresh study where its stages are targets, as they come; return what is left."""
        project = self.pristine.copy(self.pristine.folder.with_name(f"{self.runner}-killed"))
        left = list(targets)
        session = Session(project, self.runner)
        while stages := session.seen({family for family, _ in left}):
            stage = self.chance.choice(stages)
            target = next(each for each in left if each[0] == family_of(stage))
            if self._kill(session, stage, target):
                left.remove(target)
            if not session.alive():
                session = Session(project, self.runner)
        session.finish()
        self._end(project)
        return left

    def _kill(self, session: Session, stage: str, target: Target) -> bool:
        kind = target[1]
        after = self.chance.random() * self.usual.get(stage, 0.0)
        if not strike(session, stage, kind, after):
            self.report.missed += 1
            return False
        self.report.kills[target] += 1
        print(f"{self.runner}: {kind} {after:.1f} s into {stage}", flush=True)
        self._await(session, 1.0 if (self.runner, kind) in IGNORED else PATIENCE)
        return True

    def _await(self, session: Session, seconds: float) -> None:
        """Wait for the end of a run, and count who outlives it."""
        if session.end(seconds):
            self.report.orphans += orphans(session.project)
            state = session.project.folder / ".state"
            self.report.resumed += len(list(state.glob("*.partial/**/progress_*.safetensors"))) > 0

    def _end(self, project: Project) -> None:
        """Run to the end and once more, compare, and drop the study if all is well."""
        for _ in range(2):
            last = Session(project, self.runner)
            code = last.finish()
            if CUT_OFF.search("".join(last.said)):
                self.report.cut_off += 1
                (project.folder / "dvc.lock").unlink()
                last = Session(project, self.runner)
                code = last.finish()
            if code:
                self.report.failures.append("".join(last.said[-20:]))
            self.report.orphans += orphans(project)
        self.report.mismatches += mismatches(project.folder, self.undisturbed.folder)
        self.report.leftovers += leftovers(project.folder, self.undisturbed.folder)
        print(*self.report.found(), sep="\n", flush=True)
        kept = project.folder
        if not self.report.sound:
            kept = kept.rename(kept.with_name(f"{kept.name}-{len(list(kept.parent.iterdir()))}"))
            print(f"kept: {kept}", flush=True)
        else:
            shutil.rmtree(kept)
        clear(project.folder.with_name("tmp"))


def clear(folder: Path) -> None:
    """Empty a folder."""
    shutil.rmtree(folder)
    folder.mkdir()
