"""Verdicts as the pages of all studies call them."""

from collections.abc import Mapping, Sequence

from stages.reporting.words import listed
from stages.statistics.verdicts import Verdict

Words = Mapping[Verdict, str]
OUTCOMES: Words = {
    "better": "ahead",
    "same": "the same",
    "worse": "behind",
    "undecided": "open",
}
VERDICTS: Words = {
    "better": "better",
    "same": "the same",
    "worse": "worse",
    "undecided": "open",
}


def tally(verdicts: Sequence[Verdict], words: Words) -> str:
    """Say how many there are of each verdict: 3 ahead and 1 open."""
    return listed([f"{verdicts.count(v)} {word}" for v, word in words.items() if v in verdicts])
