"""Which line plays which role in a case, by what its entry says, not by its name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting.studies.kept import Kept

ONECYCLE, FINETUNE, TUNED = "onecycle", "finetune", "tuned"
LR_REWIND, SCALED = "lr_rewind", "scaled"
NAMES: Mapping[str, str] = {
    ONECYCLE: "one-cycle",
    FINETUNE: "fine-tuning",
    TUNED: "the best other constant rate",
    LR_REWIND: "learning-rate rewinding",
    SCALED: "the scaled schedule",
}
"""The roles, as sentences call them."""
BESIDE = ("start", "curve", "momentum", "lr", "max_lr")
"""Keys of an entry that a role asks for, or that say how high its rate is."""


@dataclass(frozen=True)
class Case:
    """One pruning method and one budget of a study.

    `scores`: test accuracy minus the dense network's, in points, by seed and schedule; NaN where a
    replicate diverged. `validation`: the mean accuracy of each schedule there, NaN without any.
    """

    study: Kept
    method: str
    epochs: float
    rounds: int
    scores: pd.DataFrame
    validation: "pd.Series[float]"

    @property
    def roles(self) -> dict[str, str]:
        """The schedule that plays each role, where one does.

        All start from the dense network's last weights and change nothing but the rates. onecycle:
        that curve up to the dense run's peak, the nearest to its defaults (Le & Hua 2021).
        finetune: the dense run's last rate (Han 2015), or else the smallest constant one below the
        peak. tuned: of the other constant rates that finished the best on validation data; the
        only one, where there is no such data. lr_rewind replays the dense run's last rates (Renda
        2020), scaled squeezes all of them (Le & Hua 2021).
        """
        found = {
            ONECYCLE: self._nearest(ONECYCLE, max_lr="max"),
            FINETUNE: self._finetune(),
            TUNED: self._tuned(),
            LR_REWIND: self._nearest("replay"),
            SCALED: self._nearest(SCALED, max_lr="max"),
        }
        return {role: name for role, name in found.items() if name is not None}

    @property
    def other_rates(self) -> dict[str, float]:
        """The constant rates besides fine-tuning's, by schedule; of those too that diverged."""
        rates = self._constants().items()
        return {name: lr for name, lr in rates if name != self._finetune()}

    def diverged(self, role: str) -> bool:
        """Whether a replicate of the schedule in a role diverged."""
        name = self.roles.get(role)
        return name is not None and bool(self.scores[name].isna().any())

    def _plain(self, curve: str) -> list[str]:
        """Return the schedules of a curve that change nothing but the rates."""
        forms = self.study.schedule_forms
        return [
            name
            for name in map(str, self.scores)
            if name in self.study.plain
            and forms[name]["curve"] == curve
            and forms[name]["start"] == "final"
            and forms[name]["momentum"] is None
        ]

    def _nearest(self, curve: str, **asked: str) -> str | None:
        """Return the schedule of a curve whose entry has the fewest keys besides."""
        forms, entries = self.study.schedule_forms, self.study.schedules
        fit = [
            name
            for name in self._plain(curve)
            if all(forms[name].get(key, value) == value for key, value in asked.items())
        ]
        return min(fit, key=lambda name: len({*entries[name]} - {*BESIDE, "epochs"}), default=None)

    def _constants(self) -> dict[str, float]:
        """Return the constant rates that are numbers, of the dense run's peak too."""
        rates = {name: self.study.schedule_forms[name]["lr"] for name in self._plain("constant")}
        numbers = {name: self.study.peak if lr == "max" else lr for name, lr in rates.items()}
        return {name: float(lr) for name, lr in numbers.items() if lr != "last"}

    def _finetune(self) -> str | None:
        last = [name for name in self._plain("constant") if name not in self._constants()]
        small = {name: lr for name, lr in self._constants().items() if lr < self.study.peak}
        return next(iter([*last, *sorted(small, key=lambda name: small[name])]), None)

    def _tuned(self) -> str | None:
        others = [name for name in self.other_rates if self.scores[name].notna().all()]
        if self._finetune() is None or not others:
            return None
        known = self.validation[others].dropna()
        if not known.empty:
            return str(known.idxmax())
        return others[0] if len(others) == 1 else None


def cases(studies: Sequence[Kept]) -> list[Case]:
    """Return every pruning method and budget of every study."""
    return [case for study in studies for case in _cases(study)]


def _cases(study: Kept) -> Iterator[Case]:
    runs = study.tables["replicates"]
    rounds = study.tables["arms"].groupby("method").rounds.max()
    points = runs.assign(points=runs.test_top1_percent - runs.dense_test_top1_percent)
    for (method, epochs), rows in points.groupby(["method", "epochs"], sort=False):
        yield Case(
            study,
            str(method),
            float(str(epochs)),
            int(rounds[str(method)]),
            rows.pivot(index="seed", columns="schedule", values="points"),
            rows.groupby("schedule").validation_top1_percent.mean(),
        )
