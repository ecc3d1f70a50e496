"""The results of all studies of a project as a data frame, without torch."""

from pathlib import Path

import pandas as pd

from stages.pipeline.fault import Fault

FILE = Path("reports/results.csv")
WHOLE = ("dense_epochs", "rounds", "seed", "diverged_in_epoch")
TEXT = (
    *("study", "data", "data_options", "network", "network_options", "method", "method_options"),
    *("schedule", "start", "curve", "schedule_options", "environment", "lock_entry"),
)


def results(project: Path | str = ".") -> pd.DataFrame:
    """Read reports/results.csv of a project: one row per study, arm and replicate.

    docs/studies.md says what the columns hold. Names and JSON are text, seeds, rounds and the
    dense run's epochs whole numbers, all else floats: the epochs of retraining are a mean over
    rounds. What a row has not is missing. A Fault where there is no such file, or another one.
    """
    path = Path(project) / FILE
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(TEXT, "str"), na_values=[""], keep_default_na=False
        )
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; `afterprune studies` writes it") from None
    except (ValueError, OSError) as error:
        raise Fault(f"{path}: not such a table ({' '.join(str(error).split())[:80]})") from None
    if missing := [name for name in (*TEXT, *WHOLE) if name not in table]:
        raise Fault(f"{path}: has no column {missing[0]}; `afterprune studies` writes it again")
    others = [name for name in table if name not in (*TEXT, *WHOLE)]
    try:
        return table.astype({**dict.fromkeys(WHOLE, "Int64"), **dict.fromkeys(others, "float")})
    except (ValueError, TypeError) as error:
        raise Fault(f"{path}: not such a table ({' '.join(str(error).split())[:80]})") from None
